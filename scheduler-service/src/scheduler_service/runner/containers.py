"""Runs functions and images in containers of a Docker engine, each in one of its own."""

import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import docker
import orjson
from docker.errors import DockerException, ImageNotFound, NotFound
from requests.exceptions import RequestException

from scheduler_service.runner.call import ENGINE_SOCKET, Call, Ended, ImageMissing, Limits, SandboxFailed
from scheduler_service.runner.container import Container
from scheduler_service.runner.probe import Never, has_worked, probe
from scheduler_service.sources.work import Ending

GUEST = Path(__file__).with_name("inside") / "guest.py"
INTERPRETER_BYTES = 16 * 2**20
PROCESSES = 32
DISK = "64m"
HOME = "/tmp"  # noqa: S108 - of the container alone
USER = "65534:65534"
UNTIL = "taskyard.until"
"""Label: the time, in seconds since 1970, after which the container is nobody's any more."""

LONGEST_SECONDS = 900.0
CALL_SECONDS = 30
UNIX = "unix://"


class Containers:
    """A :class:`scheduler_service.runner.call.Sandbox`, and a place for images.

    ``base``: the image in which package functions run; ``pulls``: whether images that are missing are fetched.
    Raises :class:`SandboxFailed` when the engine does not answer.
    """

    def __init__(self, base: str, *, network: bool, pulls: bool) -> None:
        _knock()
        try:
            self._client = docker.from_env(timeout=CALL_SECONDS)
        except DockerException as error:
            raise SandboxFailed("the Docker engine does not answer") from error
        self._base = base
        self._network = network
        self._pulls = pulls
        self._guest = GUEST.read_text(encoding="utf-8")

    def close(self) -> None:
        """Let go of the engine."""
        self._client.close()

    def check(self) -> str | None:
        """Say that the engine does not answer."""
        try:
            self._client.ping()
        except (DockerException, RequestException):
            return "the Docker engine does not answer"
        return None

    def prepare(self, image: str | None) -> str | None:
        """Fetch the image and call a function in it."""
        try:
            return None if has_worked(self.call(probe(image), Never()).report) else "functions can not be run in it"
        except ImageMissing:
            return "there is no such image"
        except (SandboxFailed, DockerException, RequestException) as failure:
            return str(failure)

    def has_base(self) -> bool:
        """Whether package functions could run at once."""
        return self._has(self._base)

    def call(self, call: Call, ending: Ending) -> Ended:
        """Call a package function in a container with the ``python`` of its image."""
        request = orjson.dumps({"entry": call.entry, "input": call.input}) + b"\n" + call.package
        options = {
            **self._options(call.limits, call.limits.memory + INTERPRETER_BYTES),
            "image": self._ensured(call.image or self._base),
            "entrypoint": ["python", "-I"],
            "command": ["-u", "-c", self._guest],
            "working_dir": HOME,
            "environment": {"HOME": HOME},
        }
        with Container(self._client, f"taskyard-{call.execution_id}", options, request) as container:
            return container.to_the_end(call.limits.seconds, ending)

    def run_image(self, execution_id: str, image: str, words: list[str], limits: Limits, ending: Ending) -> Ended:
        """Run an image with its own entry point and these arguments."""
        options = {**self._options(limits, limits.memory), "image": self._ensured(image), "command": words or None}
        with Container(self._client, f"taskyard-{execution_id}", options, None) as container:
            return container.to_the_end(limits.seconds, ending)

    def sweep(self) -> None:
        """Remove containers that runners have left which died."""
        for container in self._client.containers.list(all=True, filters={"label": UNTIL}):
            if float(container.labels[UNTIL]) < time.time():
                with suppress(NotFound):
                    container.remove(force=True, v=True)

    def _options(self, limits: Limits, memory: int) -> dict[str, Any]:
        return {
            "network_mode": "bridge" if self._network else "none",
            "read_only": True,
            "tmpfs": {HOME: f"size={DISK},mode=1777,nosuid,nodev,exec"},
            "mem_limit": memory,
            "memswap_limit": memory,
            "nano_cpus": limits.millicpu * 1_000_000,
            "pids_limit": PROCESSES,
            "user": USER,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "log_config": {"type": "none", "config": {}},
            "labels": {UNTIL: f"{time.time() + limits.seconds + LONGEST_SECONDS:.0f}"},
        }

    def _ensured(self, image: str) -> str:
        try:
            if self._has(image):
                return image
            if self._pulls:
                self._client.images.pull(image, tag=None if ":" in image.rpartition("/")[2] else "latest")
                return image
        except ImageNotFound:
            pass
        except (DockerException, RequestException) as error:
            raise SandboxFailed(f"the image {image} could not be fetched: {error}") from error
        raise ImageMissing(image)

    def _has(self, image: str) -> bool:
        try:
            self._client.images.get(image)
        except ImageNotFound:
            return False
        return True


def _knock() -> None:
    """Raise where nobody listens: docker's own attempt forgets to close its socket then."""
    host = os.environ.get("DOCKER_HOST") or UNIX + ENGINE_SOCKET
    if host.startswith(UNIX):
        try:
            with socket.socket(socket.AF_UNIX) as attempt:
                attempt.settimeout(CALL_SECONDS)
                attempt.connect(host.removeprefix(UNIX))
        except OSError as error:
            raise SandboxFailed("the Docker engine does not answer") from error
