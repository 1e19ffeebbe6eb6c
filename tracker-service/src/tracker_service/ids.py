"""Ids in paths."""

from chassis.envelope import BadNumber, path_number
from chassis.errors import ApiError


def path_id(text: str, message: str) -> int:
    """Return a positive id; anything else ends the request with 400 and ``message``."""
    try:
        number = path_number(text)
    except BadNumber:
        number = 0
    if number <= 0:
        raise ApiError(400, message)
    return number
