"""Where the routes lie, and the numbers in them."""

from flask import Blueprint, Flask
from werkzeug.routing import IntegerConverter

WORKQUEUE = "/workqueue/api/v1.0"
SITE = "/site/api/v1.0"
USERS = "/users/api/v1.0"


class LongId(IntegerConverter):
    """A 64-bit number; a larger one names nothing."""

    regex = r"[0-9]{1,19}"

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **{**kwargs, "max": 2**63 - 1})  # type: ignore[arg-type]


class ElementId(IntegerConverter):
    """A 32-bit number; a larger one names nothing."""

    regex = r"[0-9]{1,10}"

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **{**kwargs, "max": 2**31 - 1})  # type: ignore[arg-type]


def prepare(app: Flask) -> None:
    """Teach the application the numbers; a path with a slash at its end is another path (spec: workqueue 1)."""
    app.url_map.converters.update(long=LongId, element=ElementId)
    app.url_map.strict_slashes = True


def blueprint(name: str, prefix: str = WORKQUEUE) -> Blueprint:
    """Return a blueprint below ``prefix``."""
    return Blueprint(name, __name__, url_prefix=prefix)
