"""The stack that `run.py` has brought up, under load, and the table of what each fault did."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

sys.path.insert(0, str(Path(__file__).parent))

PROJECT = os.environ.get("TASKYARD_COMPOSE_PROJECT", "")


def pytest_ignore_collect() -> bool | None:
    """Leave these tests out where no stack runs: they need a Docker engine, which `make test` must not."""
    return None if PROJECT else True


if PROJECT:
    from flow import Flow
    from insistent import administrator
    from load import Load
    from stack import Stack
    from table import HEAD, Table

    _TABLE = Table()

    @pytest.fixture(scope="session")
    def stack() -> Iterator["Stack"]:
        """The running stack."""
        stack = Stack(PROJECT, urlsplit(os.environ["TASKYARD_URL"]).port or 80)
        yield stack
        stack.engine.close()

    @dataclass
    class Work:
        """What goes on during the faults, since `failed` tests had failed: books that were wrong once stay wrong."""

        failed: int
        flow: Flow
        load: Load

    @pytest.fixture(scope="session")
    def works(stack: "Stack") -> Iterator[list[Work]]:
        """The work that goes on now, if there is any."""
        works: list[Work] = []
        yield works
        for work in works:
            work.load.stop()

    @pytest.fixture
    def work(stack: "Stack", works: list[Work], request: pytest.FixtureRequest) -> Work:
        """Work that goes on from test to test; a failed one leaves it to the next to begin anew."""
        failed = request.session.testsfailed
        if works and works[0].failed != failed:
            works.pop().load.stop()
        if not works:
            admin = administrator(stack.url)
            works.append(Work(failed, Flow(stack, admin), Load(stack, admin)))
        return works[0]

    @pytest.fixture
    def flow(work: Work) -> "Flow":
        """A pass through the whole house."""
        return work.flow

    @pytest.fixture
    def load(work: Work) -> "Load":
        """Work that goes on meanwhile."""
        return work.load

    @pytest.fixture(scope="session")
    def table() -> "Table":
        """What each fault did."""
        return _TABLE

    def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table."""
        if _TABLE.rows:
            terminalreporter.section("what each fault did")
            for row in [HEAD, *_TABLE.rows]:
                terminalreporter.write_line(row)
