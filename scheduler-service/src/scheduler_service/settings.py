"""Configuration of scheduler-service."""

from typing import Literal

from pydantic import Field

from chassis.addresses import Networks
from chassis.settings import Settings


class SchedulerSettings(Settings):
    """What scheduler-service needs besides the common settings; times are in seconds."""

    scheduler_misfire_policy: Literal["once", "all", "none"] = "once"
    """What a job without a policy of its own does about missed occurrences (spec: scheduler 4.4, rule 6)."""

    scheduler_misfire_grace: float = Field(default=60.0, gt=0)
    """An occurrence that is later than this is missed."""

    scheduler_sync_wait: float = Field(default=55.0, gt=0, le=55)
    """The longest that creating a synchronous execution waits for its end (spec: scheduler 5.1.1)."""

    scheduler_patience: float = Field(default=3600.0, gt=0)
    """An execution that nobody has taken, or whose command nobody has answered, for this long ends in ``error``."""

    scheduler_http_networks: Networks = ()
    """Internal networks that ``http`` functions may reach all the same; CIDRs separated by commas."""

    scheduler_http_threads: int = Field(default=16, ge=1)
    """Most requests of ``http`` functions at one time in one process; one project gets a quarter of them."""

    scheduler_lease: float = Field(default=60.0, ge=1, le=3600)
    """A process that holds executions and shows no sign of life for this long counts as dead."""

    scheduler_lost_retries: int = Field(default=0, ge=0, le=100)
    """How often an execution is begun again whose process died or was stopped; then it ends in ``error``."""

    scheduler_runner: Literal["auto", "docker", "process", "off"] = "auto"
    """Where code runs; ``auto``: ``docker`` where an engine answers (packages: and has the image), else ``process``."""

    scheduler_runner_slots: int = Field(default=8, ge=1, le=128)
    """Most functions at one time in one runner; one project gets a quarter of them."""

    scheduler_runner_network: bool = False
    """Whether functions may use the network: then they reach whatever the runner does."""

    scheduler_runner_image: str = "python:3.13-slim"
    """The image in which ``package`` functions run; it needs ``python`` and nothing else."""

    scheduler_runner_pull: bool = True
    """Whether images that the Docker engine does not have are fetched; otherwise their functions end in ``error``."""

    scheduler_runner_python: str = ""
    """The interpreter of ``package`` functions in processes; by default that of the runner, without its packages."""

    scheduler_runner_first_user: int = Field(default=60800, ge=1)
    """The first of 256 user ids that functions run as where the runner is root; nothing else may use them."""
