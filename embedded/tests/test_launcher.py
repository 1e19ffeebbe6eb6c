"""The launcher as a program, with services that do nothing."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from embedded.ports import free_port

LAUNCHER = Path(__file__).parent / "fakes" / "fake_launcher.py"
Launch = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def launch(data: Path) -> Iterator[Launch]:
    """Starts the launcher on `data`; kills it at the end if need be."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str, **variables: str) -> subprocess.Popen[str]:
        environment = {"TASKYARD_PORT": str(free_port()), "TASKYARD_DATA": str(data), **variables}
        process = subprocess.Popen(
            [sys.executable, str(LAUNCHER), *words],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """What the launcher says up to the line with `words`."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if words in line:
            return said
    raise AssertionError(said)


def gone(processes: list[psutil.Process], seconds: float = 15) -> bool:
    return not psutil.wait_procs(processes, timeout=seconds)[1]


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything(launch: Launch, number: signal.Signals) -> None:
    launcher = launch()
    said = read_until(launcher, "Ctrl-C stops everything")
    children = family(launcher)
    launcher.send_signal(number)
    rest, _ = launcher.communicate(timeout=20)
    assert launcher.returncode == 0
    assert gone(children, 0)
    assert "Taskyard is ready at http://127.0.0.1:" in said
    assert "/task/submit" in said
    assert "Traceback" not in said + rest


def test_a_signal_while_it_starts_stops_what_began(launch: Launch) -> None:
    launcher = launch()
    read_until(launcher, "PostgreSQL: ready")
    children = family(launcher)
    launcher.send_signal(signal.SIGINT)
    said, _ = launcher.communicate(timeout=20)
    assert launcher.returncode == 0
    assert children
    assert gone(children, 0)
    assert "Traceback" not in said


def test_nothing_outlives_a_killed_launcher_and_the_next_one_starts(launch: Launch) -> None:
    launcher = launch()
    read_until(launcher, "Ctrl-C stops everything")
    children = family(launcher)
    launcher.kill()
    launcher.communicate()
    second = launch()
    read_until(second, "Ctrl-C stops everything")
    assert gone(children)


def test_a_port_in_use_ends_the_start_with_one_line(launch: Launch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        launcher = launch(TASKYARD_PORT=port)
        said, _ = launcher.communicate(timeout=20)
    assert launcher.returncode == 1
    assert said == f"taskyard: Port {port} is in use. TASKYARD_PORT=<another port> chooses a different one.\n"


def test_a_second_launcher_on_the_same_data_says_so(launch: Launch) -> None:
    launcher = launch()
    read_until(launcher, "Ctrl-C stops everything")
    second = launch()
    said, _ = second.communicate(timeout=20)
    assert second.returncode == 1
    assert said.startswith("taskyard: Taskyard already runs on")
    assert f"process {launcher.pid}" in said


def test_a_wrong_setting_is_named(launch: Launch) -> None:
    launcher = launch(TASKYARD_PORT="eighty")
    said, _ = launcher.communicate(timeout=20)
    assert launcher.returncode == 1
    assert said.startswith("taskyard: TASKYARD_PORT: ")
    assert len(said.splitlines()) == 1


def test_status_and_stop(launch: Launch) -> None:
    launcher = launch()
    read_until(launcher, "Ctrl-C stops everything")
    said, _ = launch("status").communicate(timeout=20)
    assert f"process {launcher.pid}" in said
    for name in ("postgres", "one-api", "one-worker", "gate"):
        assert f" {name} " in said
    stopper = launch("stop")
    launcher.communicate(timeout=30)
    stopper.communicate(timeout=30)
    assert (launcher.returncode, stopper.returncode) == (0, 0)
    nothing = launch("status")
    said, _ = nothing.communicate(timeout=20)
    assert (nothing.returncode, said) == (1, "taskyard: it does not run\n")
