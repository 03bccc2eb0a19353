"""The HTTP side that all functions share."""
