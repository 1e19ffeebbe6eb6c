"""Commands inside a running house: they get the environment that its processes have."""

import os
import sys
from collections.abc import Mapping, Sequence

import psutil

from embedded.instance import Instance
from embedded.services import SERVICES, ServiceRow


class NotRunning(Exception):
    """It does not run"""


def environment(instance: Instance, row: ServiceRow) -> dict[str, str]:
    """Return the environment of a service's running process; raise `NotRunning` when there is none.

    It is read from the process, which the owner of the house may: ports differ from start to start.
    """
    for kind in row.kinds:
        pid, _ = instance.state().get("processes", {}).get(f"{row.name}-{kind}", (None, None))
        if pid is not None and psutil.pid_exists(pid):
            return psutil.Process(pid).environ()
    raise NotRunning(f"{row.name}-service does not run")


def row_of(name: str) -> ServiceRow:
    """Return the service of this name; raise `NotRunning` when the house has none."""
    for row in SERVICES:
        if row.name == name:
            return row
    raise NotRunning(f"there is no service {name}; there are {', '.join(row.name for row in SERVICES)}")


def become(module: str, arguments: Sequence[str], env: Mapping[str, str]) -> None:
    """Run a Python module in place of this process."""
    os.execve(sys.executable, [sys.executable, "-m", module, *arguments], env)  # noqa: S606
