"""Values kept for a while: in memory, in Redis beside it, by meaning; each computed once."""
