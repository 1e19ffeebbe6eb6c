"""The compose stack of one run: brought up, looked at and taken away."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

import docker
import yaml
from docker.models.containers import Container

ROOT = Path(__file__).parents[2]
CERTIFICATES = Path("/usr/local/share/ca-certificates")
# Time-outs are looked at each second, nobody is throttled for logging in too often, and the legacy poller trusts the
# engine's networks, from which the tests' requests seem to come.
QUICK = {
    "TASKYARD_RESET_TIMED_OUT_TASKS_INTERVAL": "1",
    "TASKYARD_GATE_THROTTLE_BURST": "100000",
    "TASKYARD_POLLER_TRUSTED_NETWORKS": "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16",
}


class StackFailed(Exception):
    """The stack cannot be brought up."""


class Stack:
    """The containers of the compose project `project`, whose gate is at `port` of this machine."""

    def __init__(self, project: str, port: int) -> None:
        self.project = project
        self.url = f"http://127.0.0.1:{port}"
        self._environment = {**os.environ, **_build_settings(), **QUICK, "TASKYARD_PORT": str(port)}
        try:
            self.engine = docker.from_env(timeout=120)
            self.engine.ping()
        except docker.errors.DockerException as error:
            raise StackFailed(f"no Docker engine answers: {error}") from None

    def build(self) -> None:
        """Build the images side by side, after the one whose layers the others share."""
        for images in (("secrets", "gate"), [name for name in self._built() if name not in ("secrets", "gate")]):
            self._compose("build", "--parallel", *images)

    def up(self) -> None:
        """Build what has changed and start everything; returns when all of it is healthy."""
        self._compose("up", "--detach", "--build")
        self.wait_healthy()

    def down(self) -> None:
        """Take everything away, the data too."""
        self._compose("down", "--volumes", "--remove-orphans", "--timeout", "5")

    def lasting(self) -> dict[str, Container]:
        """The long-running containers by the names of their services."""
        found = self._containers()
        return {
            name: c for name, c in found.items() if c.attrs["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
        }

    def container(self, name: str) -> Container:
        """The container of a service, as it is now."""
        return self._containers()[name]

    def wait_healthy(self, seconds: float = 240) -> None:
        """Return when every long-running container is healthy; `StackFailed` has the last words of the others."""
        self._wait(lambda container: health(container) == "healthy", seconds)

    def wait_running(self, seconds: float = 60) -> None:
        """Return when every long-running container runs, whatever its health check has found since."""
        self._wait(lambda container: container.attrs["State"]["Status"] == "running", seconds)

    def _wait(self, is_well: Callable[[Container], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while ill := [found for found in self.lasting().values() if not is_well(found)]:
            if time.monotonic() > deadline:
                words = (f"{found.name}: {found.logs(tail=15).decode(errors='replace')}" for found in ill)
                raise StackFailed(f"not well after {seconds:g} s: " + "\n".join(words))
            time.sleep(1)

    def query(self, database: str, statement: str) -> list[int]:
        """Return the numbers in the one row that a statement finds, asked inside PostgreSQL's container."""
        command = ["psql", "--username", "postgres", "--dbname", database, "-XAt", "-F", " ", "-c", statement]
        status, output = 0, b""
        while not status and not output:  # an engine may tell of the end before it has passed on the output
            status, output = self.container("postgres").exec_run(command)
        if status:
            raise StackFailed(output.decode())
        return [int(word) for word in output.split()]

    def files(self) -> Path:
        """Where this machine sees what the transfer worker sees as /files; only root may look."""
        return Path(self.engine.volumes.get(f"{self.project}_files").attrs["Mountpoint"])

    def _built(self) -> list[str]:
        services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
        return [name for name, service in services.items() if "build" in service]

    def _containers(self) -> dict[str, Container]:
        label = f"com.docker.compose.project={self.project}"
        found: Iterable[Container] = self.engine.containers.list(all=True, filters={"label": label})
        return {container.labels["com.docker.compose.service"]: container for container in found}

    def _compose(self, *words: str) -> None:
        command = [*compose_command(), "--project-name", self.project, *words]
        result = subprocess.run(command, cwd=ROOT, env=self._environment, capture_output=True, text=True, check=False)
        if result.returncode:
            raise StackFailed(f"{' '.join(command)}:\n{(result.stdout + result.stderr)[-4000:]}")

    def __enter__(self) -> Self:
        self.down()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()
        self.engine.close()


def health(container: Container) -> str:
    """What the engine's health check says; a container that does not run is not healthy, whatever was said last."""
    state = container.attrs["State"]
    return (
        str(state["Health"]["Status"]) if state["Status"] == "running" and "Health" in state else str(state["Status"])
    )


def compose_command() -> list[str]:
    """Compose v2 where the client has it, else docker-compose."""
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    if plugin.returncode == 0:
        return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    raise StackFailed("there is neither `docker compose` nor docker-compose")


def _build_settings() -> dict[str, str]:
    """What images are built with here: this machine's own certificates, and the builder that it has."""
    certificates = "\n".join(path.read_text() for path in sorted(CERTIFICATES.glob("*.crt")))
    has_buildkit = subprocess.run(["docker", "buildx", "version"], capture_output=True, check=False).returncode == 0
    classic = {} if has_buildkit else {"DOCKER_BUILDKIT": "0", "COMPOSE_DOCKER_CLI_BUILD": "0"}
    return {"TASKYARD_BUILD_CA": os.environ.get("TASKYARD_BUILD_CA", certificates), **classic}
