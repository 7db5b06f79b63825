"""A small HTTP service over one loaded ranker."""
