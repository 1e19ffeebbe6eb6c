"""Which log lines reach the console."""

import json
from pathlib import Path

import pytest

from embedded.watch import LogWatch, warning


def line(**entry: object) -> bytes:
    return json.dumps(entry).encode()


@pytest.mark.parametrize("level", ["warning", "error", "critical"])
def test_warnings_and_worse_are_told_in_short(level: str) -> None:
    told = warning(line(level=level, event="lease_lost", task=7, timestamp="2026-01-01", where=["a.py:1"]))
    assert told == f"{level} lease_lost task=7"


@pytest.mark.parametrize("raw", [line(level="info", event="fine"), b"plain text", b"{broken", b""])
def test_the_rest_is_not(raw: bytes) -> None:
    assert warning(raw) is None


def test_each_line_is_told_once_and_a_half_one_later(tmp_path: Path) -> None:
    told: list[str] = []
    watch, log = LogWatch(tmp_path, told.append), tmp_path / "one-api.log"
    text = line(level="error", event="first").decode() + "\n" + line(level="error", event="second").decode() + "\n"
    log.write_text(text[:50])
    watch.look()
    log.write_text(text)
    watch.look()
    watch.look()
    assert told == ["one-api: error first", "one-api: error second"]


def test_a_flood_is_counted(tmp_path: Path) -> None:
    told: list[str] = []
    (tmp_path / "one.log").write_bytes((line(level="error", event="drop") + b"\n") * 10)
    LogWatch(tmp_path, told.append).look()
    assert told == ["one: error drop"] * 3 + [f"one: 7 more in {tmp_path / 'one.log'}"]


def test_a_log_that_grows_begins_anew_and_nothing_is_told_twice(tmp_path: Path) -> None:
    told: list[str] = []
    log = tmp_path / "gate.log"
    watch = LogWatch(tmp_path, told.append, largest=100)
    with log.open("ab", buffering=0) as process:
        process.write(line(level="error", event="first", filling="-" * 100) + b"\n")
        watch.look()
        process.write(line(level="error", event="second") + b"\n")
        watch.look()
    assert [words.split()[2] for words in told] == ["first", "second"]
    assert log.read_bytes() == line(level="error", event="second") + b"\n"
    assert b"first" in (tmp_path / "gate.log.1").read_bytes()
