"""Listings of directories, stored by row (spec: workqueue 3.5): a tree of any size passes through piece by piece."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from chassis.database import Database, Transaction
from workqueue_service.fields import as_whole, refuse
from workqueue_service.filepath import BadPath, normalise
from workqueue_service.statements import listings as sql

PART = 100_000
"""Lines of one uploaded part; directory numbers of part n begin at n times this."""
MAX_PARTS = 20_000
PIECE = 500
"""Directories on their way into the database at a time."""
LINES = 1_000
"""Entries on their way into the database at a time."""
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
UPLOADED = "uploaded"

Directory = tuple[str, list[Any]]


@dataclass(frozen=True, slots=True)
class Place:
    """The element that a listing belongs to."""

    job_id: int
    element_id: int

    def values(self) -> dict[str, int]:
        """Return the names that the queries use."""
        return {"job_id": self.job_id, "element_id": self.element_id}


def of_object(listing: Any) -> Iterator[Directory]:
    """Go through a listing object; 400 when it is none."""
    if not isinstance(listing, dict):
        raise refuse("listing must be an object")
    for path, entries in listing.items():
        yield _directory(path, entries)


def of_lines(lines: Iterable[bytes]) -> Iterator[Directory]:
    """Go through an uploaded part, one JSON object a line; 400 when a line is none."""
    for line in lines:
        if line.strip():
            yield _of_line(line)


def store(tx: Transaction, place: Place, directories: Iterable[Directory], part: int | None = None) -> None:
    """Store a whole listing, or replace ``part`` of it; part 0 begins anew."""
    first = PART * (part or 0)
    end = first + PART if part else PART * MAX_PARTS
    tx.execute(sql.forget_listing, {**place.values(), "first": first, "end": end})
    numbered = enumerate(directories, first)
    while piece := list(islice(numbered, PIECE)):
        if piece[-1][0] >= first + PART:
            raise refuse(f"a listing has at most {PART} directories in one piece")
        _copy_directories(tx, place, piece)
        _copy_entries(tx, place, piece)


def read(db: Database, place: Place, *, names_only: bool) -> dict[str, orjson.Fragment]:
    """Return directories in order, each with its entries as JSON: whole entries, or names alone."""
    query = sql.listing_names if names_only else sql.listing_entries
    return {row["path"]: orjson.Fragment(row["entries"]) for row in db.all(query, place.values())}


def _copy_directories(tx: Transaction, place: Place, piece: list[tuple[int, Directory]]) -> None:
    command = "COPY listing_directory (job_id, element_id, seq, path, norm) FROM STDIN"
    with tx.connection.cursor() as cursor, cursor.copy(command) as copy:
        for number, (path, _) in piece:
            copy.write_row((place.job_id, place.element_id, number, path, _norm(path)))


def _copy_entries(tx: Transaction, place: Place, piece: list[tuple[int, Directory]]) -> None:
    """Write lines of PostgreSQL's own text form: ten times as fast as row by row."""
    command = "COPY listing_entry (job_id, element_id, directory, seq, name, mode, size, entry) FROM STDIN"
    with tx.connection.cursor() as cursor, cursor.copy(command) as copy:
        for number, (_, entries) in piece:
            prefix = f"{place.job_id}\t{place.element_id}\t{number}\t"
            for start in range(0, len(entries), LINES):
                some = enumerate(entries[start : start + LINES], start)
                copy.write("".join(f"{prefix}{seq}\t{_columns(entry)}\n" for seq, entry in some))


def _columns(entry: Any) -> str:
    """Return name, mode, size and the whole entry as columns; 400 when one is missing (spec: workqueue 5.6)."""
    if not isinstance(entry, dict):
        raise refuse("an entry of the listing must be an object")
    name, mode, size = entry.get("name"), as_whole(entry.get("st_mode")), as_whole(entry.get("st_size"))
    if not isinstance(name, str) or mode is None or size is None:
        raise refuse("an entry of the listing needs name, st_mode and st_size")
    whole = orjson.dumps(entry, option=orjson.OPT_NON_STR_KEYS).decode()
    if "\\u0000" in whole or not 0 <= mode < 2**31 or not 0 <= size < 2**63:
        raise refuse("an entry of the listing has an impossible name, st_mode or st_size")
    return f"{name.translate(ESCAPES)}\t{mode}\t{size}\t{whole.translate(ESCAPES)}"


def _of_line(line: bytes) -> Directory:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise refuse("a line of the listing is not JSON") from None
    if not isinstance(value, dict):
        raise refuse("a line of the listing must be an object")
    return _directory(value.get("path"), value.get("entries"))


def _directory(path: Any, entries: Any) -> Directory:
    if not isinstance(path, str) or "\0" in path or not isinstance(entries, list):
        raise refuse("a directory of the listing needs a path and a list of entries")
    return path, entries


def _norm(path: str) -> str | None:
    try:
        return normalise(path)
    except BadPath:
        return None
