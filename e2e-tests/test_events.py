"""What auth-service says reaches the tracker, over both brokers, also after the broker was away."""

import time
from collections.abc import Callable

import psycopg
from actors import Machine

from embedded.house import House


def tracker_value(house: House, query: str, *values: object) -> object:
    with psycopg.connect(house.env("tracker")["TASKYARD_DATABASE_URL"]) as connection:
        row = connection.execute(query, values).fetchone()  # type: ignore[arg-type]
    return None if row is None else row[0]


def eventually(check: Callable[[], bool], seconds: float = 20.0) -> float:
    """Wait until ``check`` holds and return how long that took, in seconds."""
    began = time.monotonic()
    while not check():
        assert time.monotonic() - began < seconds
        time.sleep(0.02)
    return time.monotonic() - began


def alias_at_tracker(house: House, machine: Machine) -> object:
    return tracker_value(house, "SELECT alias FROM worker WHERE id = %s", machine.id)


def test_a_new_alias_reaches_the_tracker(house: House, gate: str) -> None:
    machine = Machine.create(gate, "before")
    eventually(lambda: alias_at_tracker(house, machine) == "before")
    machine.post("/worker/update", {"alias": "after"})
    eventually(lambda: alias_at_tracker(house, machine) == "after")


def test_what_happened_while_a_worker_process_was_away_arrives_once_it_is_back(house: House, gate: str) -> None:
    house.down("auth-worker")
    machine = Machine.create(gate, "patient")
    house.up("auth-worker")
    eventually(lambda: alias_at_tracker(house, machine) == "patient")
