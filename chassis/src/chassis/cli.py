"""The command line of a service: ``api``, ``worker``, ``migrate`` and ``dead-letters``."""

import os
import sys
import tempfile
from importlib import import_module
from typing import TYPE_CHECKING, cast

import click

from chassis.dead_letters_cli import dead_letters_command

if TYPE_CHECKING:
    from chassis.events.dead_letters import DeadLetters
    from chassis.service import Service


def service_command(target: str) -> click.Group:
    """Return the command line of the :class:`chassis.service.Service` at ``target`` (``module:attribute``).

    The service is imported only when a command runs: the API must patch the process for gevent before anything
    opens a socket.
    """

    @click.group()
    def main() -> None:
        """Run one process of the service."""

    @main.command()
    def api() -> None:
        """Answer HTTP requests."""
        from gevent import monkey

        monkey.patch_all()
        _share_metrics()
        from chassis.serve import run_api

        service = _load(target)
        settings = service.settings.load()
        _configure_logs(service, settings.log_level, settings.log_format)
        run_api(lambda: service.create_app(settings, service.database(settings, "api")), settings, service.name)

    @main.command()
    def worker() -> None:
        """Run background work: the event relay, consumers, periodic jobs."""
        from chassis.housekeeping import housekeeping
        from chassis.worker import WorkerProcess

        service = _load(target)
        settings = service.settings.load()
        _configure_logs(service, settings.log_level, settings.log_format)
        with service.database(settings, "worker") as database:
            components, checks = service.background(settings, database)
            components = [*components, *housekeeping(database)]
            WorkerProcess(components, checks, settings.host, settings.port, settings.shutdown_grace).run()

    @main.command()
    def migrate() -> None:
        """Bring the database to this version; safe to run twice and from several processes."""
        from chassis.migrations import migrate as apply

        service = _load(target)
        settings = service.settings.load()
        _configure_logs(service, settings.log_level, settings.log_format)
        apply(settings.database_url.get_secret_value(), *service.migrations)

    main.add_command(dead_letters_command(lambda: _dead_letters(target)))
    return main


def _dead_letters(target: str) -> "DeadLetters":
    from chassis.events.broker import open_broker
    from chassis.events.dead_letters import DeadLetters

    service = _load(target)
    return DeadLetters(open_broker(service.settings.load().amqp_url.get_secret_value()), service.name)


def _share_metrics() -> None:
    # prometheus_client looks for the directory when it is imported, so this cannot wait until the settings are loaded.
    workers = os.environ.get("TASKYARD_API_WORKERS", "")
    if workers.isdecimal() and int(workers) > 1 and "prometheus_client" not in sys.modules:
        os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="taskyard-metrics-"))


def _load(target: str) -> "Service":
    module, _, attribute = target.partition(":")
    return cast("Service", getattr(import_module(module), attribute))


def _configure_logs(service: "Service", level: str, style: str) -> None:
    from chassis.logs import configure

    configure(service.name, level, style, sys.stdout)
