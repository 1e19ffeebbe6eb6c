"""What a runner leaves behind that was killed, and who removes it."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scheduler_service.runner import directories
from scheduler_service.runner.directories import directory, sweep


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory for temporary files of this test's own, in which nothing is too young."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(directories, "YOUNG_SECONDS", 0.0)
    return tmp_path


@pytest.fixture
def runner() -> Iterator[int]:
    """Another process with a directory; in which a function has locked up what it made."""
    told, tells = os.pipe()
    if (child := os.fork()) == 0:
        with directory(None) as path:
            Path(path, "a").mkdir()
            Path(path, "a", "b").touch()
            Path(path, "link").symlink_to("/")
            Path(path, "a").chmod(0)
            os.write(tells, b".")
            signal.pause()
    os.read(told, 1)
    yield child
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(told)
    os.close(tells)


def test_what_a_killed_runner_has_left_is_removed(place: Path, runner: int) -> None:
    assert sweep() == 0
    assert len(list(place.iterdir())) == 1
    os.kill(runner, signal.SIGKILL)
    os.waitid(os.P_PID, runner, os.WEXITED | os.WNOWAIT)
    assert sweep() == 1
    assert list(place.iterdir()) == []


def test_only_directories_of_runners_are_removed(place: Path) -> None:
    (place / "other").mkdir()
    (place / "taskyard-run-link").symlink_to(place / "other")
    (place / "taskyard-run-file").touch()
    with directory(None):
        assert sweep() == 0
    assert sorted(path.name for path in place.iterdir()) == ["other", "taskyard-run-file", "taskyard-run-link"]


def test_a_new_one_is_left_alone(place: Path, monkeypatch: Any) -> None:
    """Between the moments in which its runner has made it and holds it."""
    monkeypatch.setattr(directories, "YOUNG_SECONDS", 60.0)
    (place / "taskyard-run-new").mkdir()
    assert sweep() == 0


def test_one_that_cannot_be_removed_stops_no_other(place: Path, monkeypatch: Any) -> None:
    (place / "taskyard-run-a").mkdir()
    (place / "taskyard-run-b").mkdir()
    remove = directories._remove

    def fail_once(path: str) -> None:
        if path.endswith("a"):
            raise PermissionError
        remove(path)

    monkeypatch.setattr(directories, "_remove", fail_once)
    assert sweep() == 1
    assert [path.name for path in place.iterdir()] == ["taskyard-run-a"]
