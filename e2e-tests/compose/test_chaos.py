"""Each container is killed, frozen, restarted and cut off in turn, under load: nothing is lost, nothing is done twice.

A container has recovered when a pass through the whole house (scheduler, bus, tracker, poller, transfer worker), begun
right after the fault, has come to its end; the row without a fault says what a pass takes in any case.
"""

import os
import time
from dataclasses import replace

import pytest
from faults import FAULTS, restart
from flow import Flow
from load import Balance, Load
from stack import Stack
from table import Table

pytestmark = pytest.mark.timeout(600)

# What takes most of the house along; TASKYARD_CHAOS=all does everything to everyone. Services are restarted below.
SOME = (
    *(("kill", name) for name in ("gate", "tracker-api", "tracker-worker", "rabbitmq", "postgres")),
    *(("pause", name) for name in ("tracker-api", "postgres")),
    ("restart", "postgres"),
    *(("disconnect", name) for name in ("tracker-api", "rabbitmq")),
)
SERVICES = (
    "gate",
    *(
        f"{name}-{kind}"
        for name in ("auth", "tracker", "workqueue", "scheduler", "poller")
        for kind in ("api", "worker")
    ),
    "workqueue-transfer",
    "scheduler-runner",
)
SERVERS = ("rabbitmq", "postgres")
IS_ALL = os.environ.get("TASKYARD_CHAOS") == "all"
WANTED = tuple((fault, name) for fault in FAULTS for name in (*SERVICES, *SERVERS)) if IS_ALL else SOME
RESTARTED = SERVICES if IS_ALL else ("gate", "tracker-api", "tracker-worker", "workqueue-transfer")
LOADED = 1.0  # seconds of load before a fault


def checked(load: Load, flow: Flow) -> Balance:
    """Compare everybody's books; return the balance, with what was submitted since the one before."""
    before = load.balance.submitted
    balance = load.settle()
    assert load.books.strange == []
    assert (balance.lost, balance.twice) == (0, 0)
    assert balance.submitted > before
    passes, closed, copied = flow.balance()
    assert passes == closed == copied
    return replace(balance, submitted=balance.submitted - before)


def test_a_pass_without_a_fault(load: Load, flow: Flow, table: Table) -> None:
    load.resume()
    flow.run()
    time.sleep(LOADED)
    began = time.monotonic()
    flow.run()
    took = time.monotonic() - began
    table.add("none", "", checked(load, flow), took)


@pytest.mark.parametrize(("fault", "victim"), WANTED)
def test_the_house_heals_and_the_books_agree(
    stack: Stack, load: Load, flow: Flow, table: Table, fault: str, victim: str
) -> None:
    load.resume()
    time.sleep(LOADED)
    began = FAULTS[fault](stack, victim)
    flow.run()
    took = time.monotonic() - began
    stack.wait_running()
    table.add(fault, victim, checked(load, flow), took)


def test_every_service_is_restarted_in_turn(stack: Stack, load: Load, flow: Flow, table: Table) -> None:
    load.resume()
    for name in RESTARTED:
        restart(stack, name)
        stack.wait_running()
    began = time.monotonic()
    flow.run()
    took = time.monotonic() - began
    table.add("rolling", "all", checked(load, flow), took)


def test_everything_is_well_in_the_end(stack: Stack) -> None:
    stack.wait_healthy()
