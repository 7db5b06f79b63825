"""Candidates, features, the learned ranker, its metrics and its comparison with baselines."""
