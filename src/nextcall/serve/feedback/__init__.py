"""What is told of predictions, and what is known of them."""
