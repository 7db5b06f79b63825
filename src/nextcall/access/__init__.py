"""Who may ask, for what, how often: keys, tokens, roles, rate limits, and the log of it all."""
