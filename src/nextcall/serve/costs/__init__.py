"""What language models cost, over HTTP."""
