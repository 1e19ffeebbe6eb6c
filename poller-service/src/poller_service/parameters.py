"""The parameters of a request, wherever it carries them (spec: poller 1)."""

import re
from collections.abc import Collection
from typing import Any, Self

from flask import Request

from poller_service import configuration, strict_json
from poller_service.configuration import OPTIONS
from poller_service.refused import Refused
from poller_service.statuses import Status

FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
MAX_USER = 200
MAX_ID = 2**63 - 1
_DIGITS = re.compile(r"[0-9]{1,19}")
_SECONDS = re.compile(r"[0-9]{1,3}(\.[0-9]{1,6})?")


class Parameters:
    """Hands out each parameter once, so that what nobody took is known at the end.

    Every method raises :class:`Refused` when the parameter is missing or not what it must be.
    """

    def __init__(self, values: dict[str, Any]) -> None:
        self._left = values

    @classmethod
    def of_query(cls, request: Request) -> Self:
        """Read the query string."""
        return cls(strict_json.once(list(request.args.items(multi=True))))

    @classmethod
    def of_body(cls, request: Request) -> Self:
        """Read a form, a multipart form or a JSON object."""
        if request.args:
            # Silently ignored, a `user` in the URL would make `all` touch the jobs of everybody.
            raise Refused("the parameters of a POST belong in its body, not in the query string")
        # Kept, because an idempotency key is compared by the body as it came; a form is parsed from what is kept.
        raw = request.get_data()
        if request.mimetype in FORMS:
            return cls(_form(request))
        if request.is_json:
            return cls(_object(raw))
        if raw:
            raise Refused(f"a body of type {request.mimetype!r} is not accepted: send a form or a JSON object")
        return cls({})

    def choice(self, name: str, accepted: Collection[str]) -> str:
        """Take one of the accepted texts."""
        listed = ", ".join(accepted)
        if name not in self._left:
            raise Refused(f"{name} is missing: it must be one of {listed}")
        value = self._left.pop(name)
        if not isinstance(value, str) or value not in accepted:
            raise Refused(f"{name} is unknown: it must be one of {listed}")
        return value

    def status(self) -> Status:
        """Take the status."""
        return Status(self.choice("status", [*Status]))

    def user(self) -> str:
        """Take the name of a user."""
        user = self.optional_user()
        if user is None:
            raise Refused("user is missing")
        return user

    def optional_user(self) -> str | None:
        """Take the name of a user, if it is there."""
        return checked_user(self._left.pop("user")) if "user" in self._left else None

    def job_id(self) -> int:
        """Take the id of a job."""
        number = self.number("job_id", 1, MAX_ID)
        if number is None:
            raise Refused("job_id is missing")
        return number

    def number(self, name: str, low: int, high: int) -> int | None:
        """Take an integer of a range, if it is there."""
        if name not in self._left:
            return None
        value = self._left.pop(name)
        text = str(value) if type(value) is int else value
        if not isinstance(text, str) or not _DIGITS.fullmatch(text) or not low <= int(text) <= high:
            raise Refused(f"{name} must be an integer from {low} to {high}")
        return int(text)

    def seconds(self, name: str, most: int) -> float:
        """Take a time, 0 if it is not there."""
        value = self._left.pop(name, "0")
        if not _SECONDS.fullmatch(value) or float(value) > most:
            raise Refused(f"{name} must be a number of seconds from 0 to {most}")
        return float(value)

    def rest(self) -> dict[str, Any]:
        """Take all that is left."""
        rest, self._left = self._left, {}
        return rest

    def end(self, *accepted: str) -> None:
        """Refuse what is left; ``accepted`` is what the request could have had."""
        if self._left:
            unknown = ", ".join(repr(name[:100]) for name in self._left)
            raise Refused(f"not accepted here: {unknown}; accepted are {', '.join(('request', *accepted))}")


def checked_user(value: Any) -> str:
    """Return the name of a user; raise :class:`Refused` when it cannot be one."""
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_USER or "\0" in value:
        raise Refused(f"user must be a text of 1 to {MAX_USER} characters")
    return value


def _form(request: Request) -> dict[str, Any]:
    fields: dict[str, Any] = strict_json.once(list(request.form.items(multi=True)))
    if request.files:
        raise Refused("files are not accepted: send plain form fields")
    if OPTIONS in fields:
        fields[OPTIONS] = configuration.read_options(fields[OPTIONS])
    return fields


def _object(raw: bytes) -> dict[str, Any]:
    value = strict_json.loads(raw, "the body")
    if not isinstance(value, dict):
        raise Refused("the body must be a JSON object")
    return value
