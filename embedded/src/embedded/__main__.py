"""`python -m embedded [run|status|stop|events|service]`: the whole system on this machine."""

import os
import signal
import sys
import time
from types import FrameType
from typing import NoReturn

import click
import psutil
from pydantic import SecretStr
from rich.console import Console

from embedded.house import House, PortTaken
from embedded.instance import AlreadyRunning, Instance
from embedded.memory import megabytes, proportional
from embedded.postgres import PostgresFailed
from embedded.settings import BadSettings, HouseSettings
from embedded.storage import StorageFailed
from embedded.supervisor import NotReady
from embedded.visit import NotRunning, become, environment, row_of
from embedded.welcome import welcome

FAILURES = (AlreadyRunning, BadSettings, NotReady, PortTaken, PostgresFailed, StorageFailed, OSError)
console = Console(highlight=False, markup=False, soft_wrap=True)


class _Told(BaseException):
    """A signal says stop."""


def _tell(number: int, frame: FrameType | None) -> NoReturn:
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)  # stopping takes its bounded time, however often it is asked for
    raise _Told


def _report(line: str) -> None:
    console.print(f"{time.strftime('%H:%M:%S')} {line}")


def _open(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret is not None else None


def _house(settings: HouseSettings) -> House:
    return House(
        settings.data,
        settings.port,
        host=settings.host,
        database_url=_open(settings.database_url),
        amqp_url=_open(settings.amqp_url),
        grace=settings.shutdown_grace,
        start_timeout=settings.start_timeout,
        report=_report,
    )


@click.group(invoke_without_command=True)
@click.pass_context
def main(context: click.Context) -> None:
    """Run Taskyard on this machine (the default command is `run`)."""
    if context.invoked_subcommand is None:
        context.invoke(run)


@main.command()
def run() -> None:
    """Start everything, keep it running until Ctrl-C or SIGTERM."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _tell)
    try:
        house = _house(HouseSettings.load())
        with house:
            console.print(welcome(house.url, house.data, house.memory))
            while True:
                signal.pause()
    except _Told:
        _report("everything is stopped")
    except FAILURES as failure:
        sys.exit(f"taskyard: {failure}")


@main.command()
def status() -> None:
    """Say what runs, and how much memory it takes."""
    instance, launcher = _running()
    if launcher is None:
        sys.exit("taskyard: it does not run")
    state = instance.state()
    processes = {name: pid for name, (pid, _) in state["processes"].items()}
    sizes = proportional(launcher.pid, *processes.values())
    console.print(f"{state['url']}, {megabytes(sizes)} MiB, process {launcher.pid}")
    for name, pid in processes.items():
        own = proportional(pid)
        if name.startswith("zygote-"):  # its forks have lines of their own
            own = {pid: own.get(pid, 0)}
        console.print(f"  {name:20} {pid:>8} {megabytes(own):>5} MiB")


@main.command()
def stop() -> None:
    """Stop the running house and wait until it is gone."""
    _, launcher = _running()
    if launcher is None:
        sys.exit("taskyard: it does not run")
    launcher.terminate()
    launcher.wait(timeout=HouseSettings.load().shutdown_grace * 3 + 30)


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def events(arguments: tuple[str, ...]) -> None:
    """Print the events of the running house, or of the broker at TASKYARD_AMQP_URL, until Ctrl-C."""
    _visit("auth", "chassis.events.tap", arguments)


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def service(name: str, arguments: tuple[str, ...]) -> None:
    """Run a command of a service inside the running house: `service tracker dead-letters list`."""
    _visit(name, None, arguments)


def _visit(name: str, module: str | None, arguments: tuple[str, ...]) -> None:
    if module and "TASKYARD_AMQP_URL" in os.environ:
        become(module, arguments, os.environ)
    instance, launcher = _running()
    if launcher is None:
        sys.exit("taskyard: it does not run")
    try:
        row = row_of(name)
        become(module or row.module, arguments, environment(instance, row))
    except NotRunning as failure:
        sys.exit(f"taskyard: {failure}")


def _running() -> tuple[Instance, psutil.Process | None]:
    data = HouseSettings.load().data.resolve()
    instance = Instance(data)
    return instance, instance.running() if data.exists() else None


if __name__ == "__main__":
    main()
