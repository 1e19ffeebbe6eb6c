"""The stack that `run.py` has brought up, under load, and the table of what each fault did."""

import os
import sys
from collections.abc import Iterator
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

    @pytest.fixture(scope="session")
    def flow(stack: "Stack") -> "Flow":
        """A pass through the whole house."""
        return Flow(stack, administrator(stack.url))

    @pytest.fixture(scope="session")
    def load(stack: "Stack") -> Iterator["Load"]:
        """Work that goes on meanwhile."""
        load = Load(stack, administrator(stack.url))
        yield load
        load.stop()

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
