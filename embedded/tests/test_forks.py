"""Processes that are forks of a zygote look like children."""

import os
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import psutil
import pytest

from chassis.testing.waiting import eventually
from embedded import forks
from embedded.forks import UNSEEN, Fork, ForkServer, NoZygote

pytestmark = pytest.mark.skipif(not forks.AVAILABLE, reason="only Linux has all that a zygote needs")

PROGRAM = """
import os, sys, time
print(sys.argv[1:], os.environ.get("COLOUR"), os.environ.get("PYTHONPATH"), os.getcwd(), flush=True)
if sys.argv[1] == "exit":
    sys.exit(3)
time.sleep(60)
"""
Make = Callable[..., Fork]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    """Where `make` orders its forks."""
    place = tmp_path_factory.mktemp("modules")
    (place / "sleeper.py").write_text(PROGRAM)
    forks = ForkServer("threads", ["json"], {**os.environ, "PYTHONPATH": str(place)})
    yield forks
    forks.close()


@pytest.fixture
def zygote(server: ForkServer) -> Iterator[subprocess.Popen[bytes]]:
    """The running zygote of `server`."""
    with tempfile.TemporaryFile() as output:
        process = server.start(output)
        yield process
        process.kill()
        process.wait()


@pytest.fixture
def output() -> Iterator[IO[bytes]]:
    """What forks print."""
    with tempfile.TemporaryFile() as file:
        yield file


@pytest.fixture
def make(server: ForkServer, zygote: subprocess.Popen[bytes], output: IO[bytes]) -> Iterator[Make]:
    """Make forks, which end with the test."""
    made: list[Fork] = []

    def order(*words: str) -> Fork:
        made.append(server.fork(["sleeper", *words], {"COLOUR": "green"}, output))
        return made[-1]

    yield order
    for fork in made:
        if fork.returncode is None:
            fork.send_signal(signal.SIGKILL)
            fork.wait()


def test_it_gets_its_words_its_environment_and_nothing_else(make: Make, output: IO[bytes]) -> None:
    assert make("exit", "two words").wait() == 3
    output.seek(0)
    assert output.read().decode() == "['exit', 'two words'] green None /\n"


def test_its_name_and_its_end_are_its_own(make: Make) -> None:
    fork, other = make("first"), make("second")
    process = psutil.Process(fork.pid)
    eventually(lambda: "-m sleeper first" in " ".join(process.cmdline()))
    eventually(lambda: os.getsid(fork.pid) == fork.pid)
    fork.send_signal(signal.SIGTERM)
    assert fork.wait() == -signal.SIGTERM
    assert other.returncode is None
    assert psutil.pid_exists(other.pid)


def test_it_outlives_its_zygote_and_nobody_sees_its_end(make: Make, zygote: subprocess.Popen[bytes]) -> None:
    fork = make("on")
    zygote.kill()
    zygote.wait()
    assert psutil.Process(fork.pid).is_running()
    with pytest.raises(NoZygote):
        make("more")
    fork.send_signal(signal.SIGKILL)
    assert fork.wait() == UNSEEN


def test_it_ends_with_its_launcher(server: ForkServer, zygote: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """A launcher that dies closes all it has, the leash with it."""
    with (said := tmp_path / "output").open("wb") as output:
        fork = server.fork(["sleeper", "on"], {}, output)
    eventually(said.read_bytes, 60)
    fork.leash.close()
    assert fork.wait() == -signal.SIGTERM


def test_a_fork_is_waited_for_whatever_other_sockets_do(zygote: subprocess.Popen[bytes], make: Make) -> None:
    """kombu changes the default of the whole process while it connects."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(0.01)
    try:
        fork = make("on")
        ended = threading.Timer(0.3, fork.send_signal, [signal.SIGTERM])
        ended.start()
        assert fork.wait() == -signal.SIGTERM
    finally:
        socket.setdefaulttimeout(before)


def test_without_a_zygote_there_are_no_forks(output: IO[bytes]) -> None:
    with pytest.raises(NoZygote):
        ForkServer("threads", [], {}).fork(["sleeper"], {}, output)
