"""Query strings: which arguments are known, whose things are listed, and filters (spec: scheduler 1.5, 1.6)."""

from collections.abc import Collection, Mapping
from typing import Any

from flask import request

from scheduler_service import fields
from scheduler_service.access import caller
from scheduler_service.refusals import forbid, refuse

SCOPE = frozenset({"all_projects", "project_id"})
_MANY = ("in", "nin")
_OPERATORS = frozenset({"in", "nin", "eq", "neq", "gt", "gte", "lt", "lte", "has"})


def arguments(known: Collection[str] = ()) -> dict[str, str]:
    """Return the arguments of the query string that are not empty; raise 400 when one is not known."""
    unknown = [name for name in request.args if name not in known]
    if unknown:
        raise refuse(f'Unknown argument: "{", ".join(unknown)}"')
    return {name: value for name, value in request.args.items() if value}


def scope(given: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters that limit a list to the projects which the caller asks for and may see."""
    everything = _flag(given.get("all_projects"))
    if not caller().admin:
        if everything:
            raise forbid("Operation not allowed")
        return parameters("project_id", f"eq:{caller().tenant}")
    if "project_id" in given:
        return parameters("project_id", given["project_id"])
    return parameters("project_id", None if everything else f"eq:{caller().tenant}")


def parameters(name: str, value: str | None) -> dict[str, Any]:
    """Return the two parameters that the queries' ``passes(column, operator, values)`` takes for a filter."""
    if value is None:
        return {f"{name}_operator": None, f"{name}_values": []}
    prefix, colon, rest = value.partition(":")
    operator, wanted = (prefix, rest) if colon and prefix in _OPERATORS else ("eq", value)
    if "\x00" in wanted:
        raise refuse(f"The filter {name} is not acceptable")
    return {f"{name}_operator": operator, f"{name}_values": wanted.split(",") if operator in _MANY else [wanted]}


def _flag(value: str | None) -> bool:
    try:
        return value is not None and fields.boolean(value)
    except ValueError:
        raise refuse("Invalid input for argument all_projects: it must be true or false") from None
