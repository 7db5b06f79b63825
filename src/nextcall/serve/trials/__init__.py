"""A/B tests over HTTP, and the one of predictions."""
