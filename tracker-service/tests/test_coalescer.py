"""Requests that share a statement."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from chassis.errors import Unavailable
from tracker_service.coalescer import Coalescer

SECONDS = 10


class Doubler:
    """Returns twice each item; the first batch waits for `go`, so that a second one piles up."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.started = threading.Event()
        self.go = threading.Event()

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        self.started.set()
        assert self.go.wait(SECONDS)
        if any(item < 0 for item in items):
            raise ValueError("negative")
        return [2 * item for item in items]


def waiting(coalescer: Coalescer[int, int]) -> int:
    """How many items stand in the queue."""
    return len(coalescer._waiting)


def test_what_waits_together_runs_together(wait_until: Callable[..., Any]) -> None:
    work = Doubler()
    coalescer = Coalescer(work)
    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(coalescer, 1)
        assert work.started.wait(SECONDS)
        others = [pool.submit(coalescer, number) for number in range(2, 12)]
        wait_until(lambda: waiting(coalescer) == 10)
        work.go.set()
        assert first.result(SECONDS) == 2
        assert [other.result(SECONDS) for other in others] == [2 * number for number in range(2, 12)]
    assert work.batches[0] == [1]
    assert sorted(work.batches[1]) == list(range(2, 12))
    assert len(work.batches) == 2


def test_batches_are_no_larger_than_allowed_and_nobody_is_forgotten(wait_until: Callable[..., Any]) -> None:
    work = Doubler()
    coalescer = Coalescer(work, largest=3)
    with ThreadPoolExecutor(20) as pool:
        results = [pool.submit(coalescer, number) for number in range(11)]
        wait_until(lambda: waiting(coalescer) == 10)
        work.go.set()
        assert [result.result(SECONDS) for result in results] == [2 * number for number in range(11)]
    assert [len(batch) for batch in work.batches] == [1, 3, 3, 3, 1]


def test_the_failure_of_one_does_not_reach_the_others(wait_until: Callable[..., Any]) -> None:
    work = Doubler()
    coalescer = Coalescer(work)
    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(coalescer, 0)
        assert work.started.wait(SECONDS)
        others = {number: pool.submit(coalescer, number) for number in (1, -2, 3)}
        wait_until(lambda: waiting(coalescer) == 3)
        work.go.set()
        assert first.result(SECONDS) == 0
        assert others[1].result(SECONDS) == 2
        assert others[3].result(SECONDS) == 6
        with pytest.raises(ValueError, match="negative"):
            others[-2].result(SECONDS)


def test_an_outage_reaches_everyone_and_is_asked_about_once(wait_until: Callable[..., Any]) -> None:
    attempts: list[int] = []
    started, go = threading.Event(), threading.Event()

    def away(items: Sequence[int]) -> list[int]:
        attempts.append(len(items))
        started.set()
        assert go.wait(SECONDS)
        raise Unavailable("database")

    coalescer = Coalescer(away)
    with ThreadPoolExecutor(5) as pool:
        results = [pool.submit(coalescer, 1)]
        assert started.wait(SECONDS)
        results += [pool.submit(coalescer, 1) for _ in range(3)]
        wait_until(lambda: waiting(coalescer) == 3)
        go.set()
        for result in results:
            with pytest.raises(Unavailable):
                result.result(SECONDS)
    assert attempts == [1, 3]


def test_a_deadlock_is_tried_again() -> None:
    attempts: list[int] = []

    def once_stuck(items: Sequence[int]) -> Sequence[int]:
        attempts.append(len(items))
        if len(attempts) == 1:
            raise Unavailable("database") from psycopg.errors.DeadlockDetected()
        return items

    assert Coalescer(once_stuck)(5) == 5
    assert attempts == [1, 1]


def test_it_works_on_after_a_failure() -> None:
    def halves(items: Sequence[int]) -> list[int]:
        return [10 // item for item in items]

    coalescer = Coalescer(halves)
    with pytest.raises(ZeroDivisionError):
        coalescer(0)
    assert coalescer(2) == 5
