"""Nothing that processes have in common."""
