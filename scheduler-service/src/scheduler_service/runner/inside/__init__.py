"""What runs beside and around a function: the standard library alone, so that it starts quickly."""
