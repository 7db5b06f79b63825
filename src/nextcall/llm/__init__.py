"""Language models: providers behind one protocol, which model answers, and what it may cost."""
