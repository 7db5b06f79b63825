"""Checks of text in and out: each gives a verdict with a risk and reasons, and rewrites nothing."""
