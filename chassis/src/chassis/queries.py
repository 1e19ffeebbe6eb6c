"""Named SQL queries, kept in a ``queries.sql`` beside the module that uses them."""

import re
from pathlib import Path
from typing import LiteralString, Self

_NAME = re.compile(r"^-- name: (?P<name>[a-z][a-z0-9_]*)\s*$", re.MULTILINE)


class Queries:
    """The queries of one file, as attributes.

    A query begins with ``-- name: claim_tasks``; the comment lines below say why, then the SQL follows.
    """

    def __init__(self, text: str, origin: str = "queries") -> None:
        parts = _NAME.split(text)
        self._origin = origin
        self._queries = dict(zip(parts[1::2], map(_statement, parts[2::2]), strict=True))

    @classmethod
    def beside(cls, module_file: str, name: str = "queries.sql") -> Self:
        """Read the file ``name`` that lies beside ``module_file`` (give ``__file__``)."""
        path = Path(module_file).with_name(name)
        return cls(path.read_text(encoding="utf-8"), str(path))

    def __getattr__(self, name: str) -> LiteralString:
        try:
            # psycopg takes only literal text as SQL; a file of the source tree is as good.
            return self._queries[name]
        except KeyError:
            raise AttributeError(f"no query named {name!r} in {self._origin}") from None

    def names(self) -> frozenset[str]:
        """Return the names of all queries in the file."""
        return frozenset(self._queries)


def _statement(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if not line.lstrip().startswith("--")]
    return "\n".join(lines).strip().rstrip(";")
