"""Threads that work in turns."""

import threading
from collections.abc import Callable, Iterator

import pytest

from chassis.errors import Unavailable
from scheduler_service import turns
from scheduler_service.turns import Turns


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[], float]], Turns]]:
    """Start turns that pause hardly at all after a failure, and stop them at the end."""
    monkeypatch.setattr(turns, "PAUSE_SECONDS", 0.001)
    running: list[Turns] = []

    def start(turn: Callable[[], float]) -> Turns:
        running.append(Turns("part", turn))
        running[-1].start()
        return running[-1]

    yield start
    for part in running:
        part.stop(10)


def test_a_ring_begins_the_next_turn(started: Callable[[Callable[[], float]], Turns]) -> None:
    done = [threading.Event(), threading.Event()]
    left = iter(done)

    def turn() -> float:
        next(left).set()
        return 3600.0

    part = started(turn)
    assert done[0].wait(10)
    assert not done[1].is_set()
    part.ring()
    assert done[1].wait(10)
    assert part.check() is None


@pytest.mark.parametrize("error", [Unavailable("database"), RuntimeError("broken")])
def test_a_failure_is_tried_again_and_shows(started: Callable[[Callable[[], float]], Turns], error: Exception) -> None:
    tries = threading.Semaphore(0)
    away = threading.Event()
    away.set()
    worked = threading.Event()

    def turn() -> float:
        tries.release()
        if away.is_set():
            raise error
        worked.set()
        return 3600.0

    part = started(turn)
    for _ in range(3):
        assert tries.acquire(timeout=10)
    assert part.check() == "the part does not work"
    away.clear()
    assert worked.wait(10)


def test_a_part_that_has_ended_is_not_ready(started: Callable[[Callable[[], float]], Turns]) -> None:
    part = started(lambda: 3600.0)
    part.stop(10)
    assert part.check() == "the part does not work"
