"""Jobs of the service: what it can do, over HTTP."""
