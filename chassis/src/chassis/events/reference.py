"""``python -m chassis.events.reference``: writes docs/reference/events.md from contracts/events."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import orjson

from chassis.contracts import contracts_directory
from chassis.events.resend import QUEUE_CREATED
from chassis.events.schemas import CONSUMERS, schemas

COMMAND = "Command: "

INTRODUCTION = """\
# Events

Generated from `contracts/events` by `python -m chassis.events.reference`. How to send, receive and watch events:
[how-to/events.md](../how-to/events.md).

An event is a notice of what PostgreSQL holds: losing the broker delays it and loses nothing. Each type has a JSON
Schema, `contracts/events/<type>.json`. New fields may appear at any time; readers ignore what they do not know. A type
that ends in an imperative is a command: the service of its first word carries it out once and answers it.
"""


def consumed_by(service: str) -> frozenset[str]:
    """Return the types that a service handles, as the contracts say."""
    types = schemas().types - {QUEUE_CREATED}  # that one every service handles without a word
    return frozenset(type_ for type_ in types if service in schemas().documents[type_].get(CONSUMERS, ()))


def render() -> str:
    """Return the whole page."""
    types = sorted(schemas().types)
    parts = [INTRODUCTION, "## Envelope\n", _envelope(), "## Types\n", _table(types)]
    parts += [_section(type_, schemas().documents[type_]) for type_ in types]
    return "\n".join(parts)


def page() -> Path:
    """Return where the page lies."""
    return contracts_directory().parent / "docs" / "reference" / "events.md"


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail when the page is not up to date.")
def main(check: bool) -> None:
    """Write the page."""
    if not check:
        page().write_text(render(), encoding="utf-8")
    elif page().read_text(encoding="utf-8") != render():
        sys.exit("docs/reference/events.md is not up to date, run python -m chassis.events.reference")


def _envelope() -> str:
    document = schemas().documents["envelope"]
    return "\n".join([document["description"], "", *_fields(document), "", *_example(document["examples"][0]), ""])


def _table(types: list[str]) -> str:
    rows = (
        f"| [`{type_}`](#{type_.replace('.', '')}) | {schemas().documents[type_]['title']}"
        f" | {_publisher(type_)} | {_consumers(type_)} |"
        for type_ in types
    )
    return "\n".join(["| Type | Says | From | To |", "|---|---|---|---|", *rows, ""])


def _section(type_: str, document: Mapping[str, Any]) -> str:
    lines = [f"## {type_}", "", document["description"], ""]
    lines += [f"From: {_publisher(type_)}. To: {_consumers(type_)}.", "", *_fields(document), ""]
    for example in document["examples"]:
        lines += [*_example(example), ""]
    return "\n".join(lines)


def _publisher(type_: str) -> str:
    command = schemas().documents[type_]["description"].startswith(COMMAND)
    return "any service" if command or type_ == QUEUE_CREATED else type_.partition(".")[0]


def _consumers(type_: str) -> str:
    return ", ".join(schemas().documents[type_].get(CONSUMERS, ())) or "nobody yet"


def _fields(document: Mapping[str, Any]) -> Iterator[str]:
    yield "| Field | Type | Meaning |"
    yield "|---|---|---|"
    yield from _rows(document, "")


def _rows(schema: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for name, field in schema.get("properties", {}).items():
        optional = "" if name in schema.get("required", ()) else ", optional"
        yield f"| `{prefix}{name}` | {_type(field)}{optional} | {_cell(field.get('description', ''))} |"
        yield from _rows(field, f"{prefix}{name}.")
        yield from _rows(field.get("items", {}), f"{prefix}{name}[].")


def _type(field: Mapping[str, Any]) -> str:
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    kind = field.get("type", "any")
    names = " or ".join(kind) if isinstance(kind, list) else str(kind)
    return f"{names} ({field['format']})" if "format" in field else names


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _example(example: Any) -> list[str]:
    return ["```json", orjson.dumps(example, option=orjson.OPT_INDENT_2).decode(), "```"]


if __name__ == "__main__":
    main()
