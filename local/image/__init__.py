"""The image: its recipe followed without an engine, run as a platform runs it, and its build by Docker."""
