"""The local run: starts the real components and the pipeline as processes of this machine, and supervises them."""
