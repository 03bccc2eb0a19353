"""Sends mutated requests to every role: `python -m tests.abuse.fuzz`, which is `make fuzz`."""
