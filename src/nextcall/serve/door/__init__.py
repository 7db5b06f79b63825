"""What stands before the application: limits, who asks, what leaves."""
