"""Guards the readers of a contract: what the baseline in `contracts/baseline/` lists may not vanish or change type.

`python -m chassis.contract_baseline` fails on breaking and on unrecorded changes; with `--accept` it records additive
ones. A break that is meant is made by editing the baseline by hand, where a reviewer sees it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import orjson

from chassis.contracts import Contract, Operation, contract_names, contracts_directory

Fingerprint = dict[str, str]
_ALTERNATIVES = ("allOf", "anyOf", "oneOf")
_BRANCHES = ("then", "else")


def fingerprint(contract: Contract) -> Fingerprint:
    """Every route, request field, status and answer field with its type; `?` marks what may be absent."""
    lines: Fingerprint = {}
    for operation in contract.operations.values():
        route = f"{operation.method.upper()} {operation.path}"
        lines[route] = operation.id
        lines.update(_request_lines(route, operation))
        for status, response in operation.responses.items():
            lines[f"{route} {status}"] = " ".join(sorted(response.get("content", {}))) or "empty"
            for media in response.get("content", {}).values():
                lines.update(_fields(f"{route} {status} $", media.get("schema", {})))
    return lines


def broken(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """What an old reader or writer relies on and no longer finds."""
    return [
        f"{line}: was {kind}, is {new.get(line, 'gone')}"
        for line, kind in old.items()
        if new.get(line) not in (kind, kind.removesuffix("?"))
    ]


def baseline_path(name: str) -> Path:
    """Where the fingerprint of a service's contract is kept."""
    return contracts_directory() / "baseline" / f"{name}.json"


def baseline(name: str) -> Fingerprint:
    """The recorded fingerprint of a service's contract, empty if there is none yet."""
    path = baseline_path(name)
    return dict(orjson.loads(path.read_bytes())) if path.exists() else {}


@click.command()
@click.option("--accept", is_flag=True, help="Record additive changes.")
def main(accept: bool) -> None:
    """Compare every contract with its baseline."""
    failures = []
    for name in contract_names():
        old, new = baseline(name), fingerprint(Contract.load(name))
        breaks = broken(old, new)
        failures += [f"{name}: {line}" for line in breaks]
        if accept and not breaks:
            baseline_path(name).write_bytes(orjson.dumps(new, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
        elif not breaks and old != new:
            failures.append(f"{name}: not recorded, run python -m chassis.contract_baseline --accept")
    for failure in failures:
        click.echo(failure, err=True)
    sys.exit(1 if failures else 0)


def _request_lines(route: str, operation: Operation) -> Iterator[tuple[str, str]]:
    if operation.parse_schema is not None:
        yield from _fields(f"{route} request $", operation.parse_schema)


def _fields(where: str, schema: Any, optional: str = "") -> Iterator[tuple[str, str]]:
    if not isinstance(schema, Mapping):
        return
    if kind := _kind(schema):
        yield where, kind + optional
    required = schema.get("required", ())
    for name, part in schema.get("properties", {}).items():
        yield from _fields(f"{where}.{name}", part, "" if name in required else "?")
    yield from _fields(f"{where}[]", schema.get("items"))
    for part in (part for key in _ALTERNATIVES for part in schema.get(key, ())):
        yield from _fields(where, part, optional)
    for key in _BRANCHES:
        yield from _fields(f"{where} {key}", schema.get(key), optional)


def _kind(schema: Mapping[str, Any]) -> str:
    if "const" in schema:
        return f"const {orjson.dumps(schema['const']).decode()}"
    kind = schema.get("type", "")
    name = "|".join(kind) if isinstance(kind, list) else str(kind)
    return f"{name} {schema['format']}" if "format" in schema else name


if __name__ == "__main__":
    main()
