"""A service without work."""
