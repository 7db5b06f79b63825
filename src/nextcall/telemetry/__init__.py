"""What the service tells of itself: metrics, latencies, service level, logs and traces."""
