"""The JSON Schemas in ``contracts/events``, compiled once per process."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson

from chassis.contracts import contracts_directory

CONSUMERS = "x-taskyard-consumers"
"""The key under which an event's schema names the services that receive it."""


class Schemas:
    """One compiled schema per event type, and the schema ``envelope`` around them."""

    def __init__(self, directory: Path) -> None:
        self.documents: Mapping[str, Any] = {
            path.stem: orjson.loads(path.read_bytes()) for path in sorted(directory.glob("*.json"))
        }
        self._validators = {name: _compile(document) for name, document in self.documents.items()}

    @property
    def types(self) -> frozenset[str]:
        """Return every event type that has a contract."""
        return frozenset(self.documents) - {"envelope"}

    def problem(self, name: str, value: Any) -> str | None:
        """Say where ``value`` breaks the schema ``name``, without the value itself; ``None`` when it does not."""
        validator = self._validators.get(name)
        if validator is None:
            return f"no contract for {name}"
        for error in validator.iter_errors(value):
            where = "/".join(map(str, error.instance_path))
            return f"{name}: {where or 'whole'}: {error.message}"
        return None


def _compile(document: Any) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator(document, validate_formats=True, mask="the value")


@functools.cache
def schemas() -> Schemas:
    """Return the schemas of this process."""
    return Schemas(contracts_directory() / "events")
