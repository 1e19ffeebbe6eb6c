"""Chooses where code runs: what the settings say, or what this machine has."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from chassis.database import Database
from chassis.health import Check
from scheduler_service import codes
from scheduler_service.runner import directories
from scheduler_service.runner.call import ENGINE_SOCKET, Sandbox, SandboxFailed
from scheduler_service.runner.image_runner import ImageRunner
from scheduler_service.runner.package_runner import PackageRunner
from scheduler_service.runner.packages import Packages
from scheduler_service.runner.preparing import Prepare
from scheduler_service.runner.process import Processes
from scheduler_service.runner.refusing import RefusingRunner
from scheduler_service.settings import SchedulerSettings
from scheduler_service.sources.work import Runner

if TYPE_CHECKING:
    from scheduler_service.runner.containers import Containers

log = structlog.get_logger()

NO_ENGINE = "Image functions need a Docker engine, and this system's runner reaches none."


@dataclass(frozen=True)
class Choice:
    """What carries out which source, whether it can, in which images, and what is to be tidied up now and then."""

    runners: Mapping[str, Runner]
    check: Check
    prepare: Prepare
    sweep: Callable[[], object] = directories.sweep


def choose(settings: SchedulerSettings, database: Database) -> Choice:
    """Return what this process carries out functions with."""
    if settings.scheduler_runner == "off":
        refusing = RefusingRunner(codes.OFF)
        return Choice({"package": refusing, "image": refusing}, lambda: None, lambda _: codes.OFF)
    containers = None if settings.scheduler_runner == "process" else _containers(settings)
    if containers is None:
        return _chosen(database, _processes(settings), None)
    if settings.scheduler_runner == "docker" or containers.has_base():
        return _chosen(database, containers, containers)
    return _chosen(database, _processes(settings), containers)


def _chosen(database: Database, sandbox: Sandbox, containers: "Containers | None") -> Choice:
    log.info("code_runs_in", packages=type(sandbox).__name__.lower(), images=containers is not None)
    package = PackageRunner(Packages(database), sandbox)
    images = RefusingRunner(NO_ENGINE) if containers is None else ImageRunner(containers)

    def sweep() -> None:
        directories.sweep()
        if containers is not None:
            containers.sweep()

    return Choice({"package": package, "image": images}, sandbox.check, sandbox.prepare, sweep)


def _processes(settings: SchedulerSettings) -> Processes:
    return Processes(
        settings.scheduler_runner_first_user,
        network=settings.scheduler_runner_network,
        python=settings.scheduler_runner_python,
    )


def _containers(settings: SchedulerSettings) -> "Containers | None":
    """Return the engine that answers; the library is not even loaded where there can be none."""
    if settings.scheduler_runner == "auto" and not os.environ.get("DOCKER_HOST") and not os.path.exists(ENGINE_SOCKET):
        return None
    from scheduler_service.runner.containers import Containers

    network, pulls = settings.scheduler_runner_network, settings.scheduler_runner_pull
    try:
        return Containers(settings.scheduler_runner_image, network=network, pulls=pulls)
    except SandboxFailed:
        if settings.scheduler_runner == "docker":
            raise
        return None
