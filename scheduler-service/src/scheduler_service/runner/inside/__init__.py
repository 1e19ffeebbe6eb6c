"""What runs around a function: the standard library alone, and little of that, so that it starts quickly."""
