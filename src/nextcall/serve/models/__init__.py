"""Which model answers: swapped, checked, compared with another."""
