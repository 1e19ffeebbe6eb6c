"""Workers, accounts, sessions, tokens and keys."""
