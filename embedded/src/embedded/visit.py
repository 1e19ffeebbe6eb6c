"""Commands inside a running house: they get the environment that its processes have."""

import os
import sys
from collections.abc import Mapping, Sequence

from embedded.instance import Instance
from embedded.services import SERVICES, ServiceRow


class NotRunning(Exception):
    """It does not run"""


def environment(instance: Instance, row: ServiceRow) -> dict[str, str]:
    """Return the environment of a service's running processes; raise `NotRunning` when there are none."""
    try:
        return {"TASKYARD_PORT": "0", **instance.environment(row.name)}  # each process has a port of its own
    except (OSError, KeyError):
        raise NotRunning(f"{row.name}-service does not run") from None


def row_of(name: str) -> ServiceRow:
    """Return the service of this name; raise `NotRunning` when the house has none."""
    for row in SERVICES:
        if row.name == name:
            return row
    raise NotRunning(f"there is no service {name}; there are {', '.join(row.name for row in SERVICES)}")


def become(module: str, arguments: Sequence[str], env: Mapping[str, str]) -> None:
    """Run a Python module in place of this process."""
    os.execve(sys.executable, [sys.executable, "-m", module, *arguments], env)  # noqa: S606
