"""Anomaly detection: streaming and batch detectors, consensus, explanation."""
