"""A small HTTP service over one loaded ranker.

The way of a prediction lies here, to be read in one sitting: `app` puts the parts together,
`routes` hear, `answering` takes a body to its answer, `order` one request through the guard to the
`predictor`, `answers` say what comes out. What stands beside that way has a folder each: ``door``
who may ask, ``caching`` what was answered before, ``safety`` the guard, ``models`` which ranker,
``feedback``, ``trials``, ``jobs``, ``performance``, and ``process`` what runs it all.
"""
