"""The services of the house. A new one is one more row."""

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


SERVICES = (
    ServiceRow("auth", "auth_service", keeps_secrets=True),
    ServiceRow("tracker", "tracker_service"),
    ServiceRow("workqueue", "workqueue_service", ("api", "worker", "transfer"), keeps_secrets=True),
    ServiceRow("scheduler", "scheduler_service", ("api", "worker", "runner")),
    ServiceRow("poller", "poller_service"),
)
GATE_MODULE = "gateway"
BROKER_DATABASE = "taskyard_broker"
