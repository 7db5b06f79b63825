"""What the service keeps of what it answered."""
