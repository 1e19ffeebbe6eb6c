"""Named queries."""

from pathlib import Path

import pytest

from chassis.queries import Queries

TEXT = """
-- name: find_note
-- One note, by its id.
SELECT id, text -- the whole of it
FROM note WHERE id = %(id)s;

-- name: count_notes
SELECT count(*) FROM note
"""


def test_queries_are_attributes_without_their_comments() -> None:
    queries = Queries(TEXT)
    assert queries.find_note == "SELECT id, text -- the whole of it\nFROM note WHERE id = %(id)s"
    assert queries.count_notes == "SELECT count(*) FROM note"
    assert queries.names() == {"find_note", "count_notes"}


def test_an_unknown_query_is_named(tmp_path: Path) -> None:
    (tmp_path / "queries.sql").write_text(TEXT)
    queries = Queries.beside(str(tmp_path / "module.py"))
    with pytest.raises(AttributeError, match="no query named 'lost'"):
        _ = queries.lost
