"""What is checked of requests and answers by the guard."""
