"""What the command line does beyond starting parts: send, watch, audit, and show figures as tables."""
