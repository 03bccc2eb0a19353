"""Metrics, logs and correlation."""
