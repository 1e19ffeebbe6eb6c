"""One run of code, how it ended, and the one interface of everything that code can run in."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from scheduler_service.sources.work import Ending

ENGINE_SOCKET = "/var/run/docker.sock"
"""Where a Docker engine listens unless DOCKER_HOST names another place."""


@dataclass(frozen=True)
class Limits:
    """What one run may use."""

    seconds: int
    memory: int
    """Bytes."""
    millicpu: int


@dataclass(frozen=True)
class Call:
    """A package function to be called."""

    execution_id: str
    entry: str
    input: Mapping[str, Any]
    package: bytes
    limits: Limits
    image: str | None = None
    """In which it runs; by default the sandbox's own Python."""


class End(enum.Enum):
    """Why a run is over."""

    EXITED = enum.auto()
    TIME = enum.auto()
    RESOURCES = enum.auto()
    GIVEN_UP = enum.auto()
    """The runner was told to stop, or the execution is no longer its own."""


@dataclass(frozen=True)
class Ended:
    """How a run was over; ``seconds`` that it took, ``report`` of the guest as it wrote it, ``code`` of its exit."""

    end: End
    seconds: float
    report: bytes = b""
    logs: bytes = b""
    code: int = 0
    is_report_cut: bool = False


class SandboxFailed(Exception):
    """The code could not be run, for a reason that is not its own"""


class ImageMissing(SandboxFailed):
    """There is no such image, or it may not be fetched"""


class Sandbox(Protocol):
    """Somewhere that code can run in; several runs at a time."""

    def call(self, call: Call, ending: Ending) -> Ended:
        """Call a package function, until it ends or must stop; raise :class:`SandboxFailed`."""

    def prepare(self, image: str | None) -> str | None:
        """Say why no function can be called in this image, after having done what it takes; ``None``: it can."""

    def check(self) -> str | None:
        """Say why nothing can run here (a :data:`chassis.health.Check`)."""


class Images(Protocol):
    """Somewhere that images can run in."""

    def run_image(self, execution_id: str, image: str, words: list[str], limits: Limits, ending: Ending) -> Ended:
        """Run an image with its own entry point and these arguments; raise :class:`SandboxFailed`."""
