"""What each function does, wired from domain, store and broker."""
