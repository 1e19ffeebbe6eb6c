"""Chooses where code runs: what the settings say, or what this machine has."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from chassis.database import Database
from chassis.health import Check
from scheduler_service.runner.package_runner import PackageRunner
from scheduler_service.runner.packages import Packages
from scheduler_service.runner.process import Processes
from scheduler_service.runner.refusing import RefusingRunner
from scheduler_service.settings import SchedulerSettings
from scheduler_service.sources.work import Runner

log = structlog.get_logger()

NO_ENGINE = "Image functions need a Docker engine, and no runner of this system reaches one."
OFF = "Running code is switched off in this system."


@dataclass(frozen=True)
class Choice:
    """What carries out which source, and whether it can."""

    runners: Mapping[str, Runner]
    check: Check


def runners(settings: SchedulerSettings, database: Database) -> Choice:
    """Return what this process carries out functions with."""
    if settings.scheduler_runner == "off":
        return Choice({"package": RefusingRunner(OFF), "image": RefusingRunner(OFF)}, lambda: None)
    processes = Processes(
        settings.scheduler_runner_first_user,
        network=settings.scheduler_runner_network,
        python=settings.scheduler_runner_python,
    )
    log.info("code_runs_in", sandbox="process", user=os.geteuid())
    package = PackageRunner(Packages(database), processes)
    return Choice({"package": package, "image": RefusingRunner(NO_ENGINE)}, processes.check)
