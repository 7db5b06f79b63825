"""Which API call comes next, given a prompt and the calls so far."""

__version__ = "0.1.0"
