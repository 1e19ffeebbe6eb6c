"""The services of the house. A new one is one more row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ServiceRow:
    """One service: `python -m <module> <kind>` for each of its processes, and `migrate`."""

    name: str
    module: str
    kinds: tuple[str, ...] = ("api", "worker")
    keeps_secrets: bool = False  # gets TASKYARD_SECRET_KEY

    @property
    def database(self) -> str:
        """Name of the service's database and of the role that owns it."""
        return f"taskyard_{self.name}"

    @property
    def definition(self) -> str:
        """The module that all processes of the service load."""
        return f"{self.module}.service"


SERVICES = (
    ServiceRow("auth", "auth_service", keeps_secrets=True),
    ServiceRow("tracker", "tracker_service"),
    ServiceRow("workqueue", "workqueue_service", ("api", "worker", "transfer"), keeps_secrets=True),
    ServiceRow("scheduler", "scheduler_service", ("api", "worker", "runner")),
    ServiceRow("poller", "poller_service"),
)
# What the processes of every service load besides, by flavour.
COMMON: Mapping[str, Sequence[str]] = {
    "gevent": ("chassis.serve", "chassis.identity"),
    "threads": ("chassis.housekeeping", "chassis.events", "chassis.migrations"),
}
GATE_MODULE = "gateway"
BROKER_DATABASE = "taskyard_broker"


def flavour(kind: str) -> str:
    """What kind of process it is: HTTP servers run on gevent, everything else on threads."""
    return "gevent" if kind == "api" else "threads"
