"""What became of predictions: which one was taken; how good they were, and what they teach."""
