"""The life of an A/B test, kept in a database: defined, started, assigned, recorded, analysed."""
