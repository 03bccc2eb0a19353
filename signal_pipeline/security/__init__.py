"""Tokens, passwords, API keys."""
