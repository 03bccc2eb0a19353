"""Benchmarks: what the pipeline does in a second, measured beside the usual way of doing the same."""
