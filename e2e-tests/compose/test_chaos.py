"""Each container is killed, frozen, restarted and cut off in turn, under load: nothing is lost, nothing is done twice.

A container has recovered when a pass through the whole house (scheduler, bus, tracker, poller, transfer worker), begun
right after the fault, has come to its end; the row without a fault says what a pass takes in any case.
"""

import os
import time

import pytest
from faults import FAULTS, restart
from flow import Flow
from load import Balance, Load
from stack import Stack
from table import Table

pytestmark = pytest.mark.timeout(600)

# One container of each kind; TASKYARD_CHAOS=all takes every one.
SOME = ("gate", "tracker-api", "tracker-worker", "rabbitmq", "postgres")
EVERY = (
    "gate",
    *(
        f"{name}-{kind}"
        for name in ("auth", "tracker", "workqueue", "scheduler", "poller")
        for kind in ("api", "worker")
    ),
    "workqueue-transfer",
    "rabbitmq",
    "postgres",
)
VICTIMS = EVERY if os.environ.get("TASKYARD_CHAOS") == "all" else SOME
SERVERS = ("postgres", "rabbitmq")
LOADED = 1.0  # seconds of load before a fault


def checked(load: Load, flow: Flow) -> Balance:
    """Compare everybody's books; return the balance."""
    before = load.balance.submitted
    balance = load.settle()
    assert load.books.strange == []
    assert (balance.lost, balance.twice) == (0, 0)
    assert balance.submitted > before
    passes, closed = flow.balance()
    assert passes == closed
    return balance


def test_a_pass_without_a_fault(load: Load, flow: Flow, table: Table) -> None:
    load.resume()
    flow.run()
    time.sleep(LOADED)
    began = time.monotonic()
    flow.run()
    took = time.monotonic() - began
    table.add("none", "", checked(load, flow), took)


@pytest.mark.parametrize("victim", VICTIMS)
@pytest.mark.parametrize("fault", FAULTS)
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
    for name in [name for name in stack.names() if name in VICTIMS and name not in SERVERS]:
        restart(stack, name)
        stack.wait_running()
    began = time.monotonic()
    flow.run()
    took = time.monotonic() - began
    table.add("rolling", "all", checked(load, flow), took)


def test_everything_is_well_in_the_end(stack: Stack) -> None:
    stack.wait_healthy()
