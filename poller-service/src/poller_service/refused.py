"""Refusals that the sender of a request or command can mend."""

from chassis.errors import ApiError


class Refused(ApiError):
    """The request or command is wrong; the message says in what, and what would be accepted (spec: poller 3)."""

    def __init__(self, message: str) -> None:
        super().__init__(400, message)
