"""Array parameters of statements."""

from collections.abc import Iterable


def array(numbers: Iterable[int]) -> str:
    """Return an array literal.

    psycopg would send a list in the smallest type that fits its numbers, and prepare a statement for each type.
    """
    return "{" + ",".join(map(str, numbers)) + "}"
