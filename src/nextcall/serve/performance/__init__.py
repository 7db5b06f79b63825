"""The performance suite inside and beside a service."""
