"""What a function cannot do to the machine it runs on: real processes, in every way to run them."""

import io
import json
import os
import pickle
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chassis.testing.waiting import eventually
from scheduler_service.runner import confined, interpreter
from scheduler_service.runner.call import Call, End, Ended, Limits
from scheduler_service.runner.inside import landlock, system
from scheduler_service.runner.process import Processes

FIRST_USER = 60900
NOBODY = 65534
SYSTEM_PYTHON = "/usr/bin/python3"
PID = os.getpid()


class Going:
    """An end that comes when the test says so."""

    def __init__(self) -> None:
        self.cut = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        return self.cut.wait(timeout)

    def must_stop(self) -> bool:
        return self.cut.is_set()


def package(text: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("main.py", text)
    return content.getvalue()


@dataclass(frozen=True)
class Way:
    """One way to run a function: as whom the runner runs, and whether the kernel gives it namespaces."""

    name: str
    user: int | None
    namespaces: bool

    def run(self, text: str, seconds: int = 20, **given: Any) -> Ended:
        """Run ``main`` of a module."""
        call = Call("e", "main.main", given, package(text), Limits(seconds, 32 * 2**20, 100))
        return in_another_process(self.user, lambda: self.processes().call(call, Going()))

    def output(self, text: str, **given: Any) -> Any:
        """Run ``main`` of a module and return its output."""
        ended = self.run(text, **given)
        assert b'"output"' in ended.report, ended
        return json.loads(json.loads(ended.report)["output"])

    def processes(self) -> Processes:
        """Return the sandbox; a python that everybody may read, as far as there is one."""
        python = SYSTEM_PYTHON if os.path.exists(SYSTEM_PYTHON) else ""
        return Processes(FIRST_USER, namespaces=self.namespaces, python=python)


def in_another_process(user: int | None, action: Callable[[], Any]) -> Any:
    """Run ``action`` in a fork of this process that has become ``user``, and return what it returns or raises."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        with open(writing, "wb") as answer:
            try:
                become(user)
                pickle.dump((True, action()), answer)
            except BaseException as error:
                pickle.dump((False, repr(error)), answer)
            answer.flush()
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as answer:
        worked, value = pickle.load(answer)
    os.waitpid(child, 0)
    assert worked, value
    return value


def become(user: int | None) -> None:
    """Let this process be an ordinary user's."""
    if user is not None:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
        confined.PYTHON = interpreter.PYTHON = SYSTEM_PYTHON


def has_namespaces(user: int | None) -> bool:
    def try_it() -> bool:
        with suppress(OSError):
            system.unshare(system.NEW_PIDS | (system.NEW_USER if os.geteuid() else 0))
            return True
        return False

    return bool(in_another_process(user, try_it))


def ways() -> Iterator[Any]:
    is_root = os.geteuid() == 0
    users = [("root", None), ("user", NOBODY)] if is_root else [("user", None)]
    for name, user in users:
        for namespaces in (True, False):
            reason = None
            if namespaces and not has_namespaces(user):
                reason = "this system gives no namespaces"
            elif not namespaces and not landlock.version():
                reason = "this kernel has no Landlock"
            elif user is not None and not readable_by_all():
                reason = "others can not read the sources or the Python of this machine"
            way = Way(name, user, namespaces)
            marks = [pytest.mark.skip(reason=reason)] if reason else []
            yield pytest.param(way, id=f"{name}-{'namespaces' if namespaces else 'landlock'}", marks=marks)


def readable_by_all() -> bool:
    here = Path(__file__).resolve()
    return os.path.exists(SYSTEM_PYTHON) and all(parent.stat().st_mode & 0o005 == 0o005 for parent in here.parents)


@pytest.fixture(params=ways())
def way(request: pytest.FixtureRequest) -> Way:
    """Every way that this machine allows."""
    return request.param  # type: ignore[no-any-return]


SNOOP = """
import os, socket

def attempt(action):
    try:
        return repr(action())
    except BaseException as error:
        return type(error).__name__

def main(secret, runner, port, **kw):
    listening = lambda: socket.create_connection(("127.0.0.1", port), 5)
    return {
        "environment": sorted(os.environ),
        "secret": attempt(lambda: open(secret).read()),
        "listing": attempt(lambda: os.listdir(os.path.dirname(secret))),
        "runner": attempt(lambda: open(f"/proc/{runner}/environ").read()),
        "memory": attempt(lambda: open(f"/proc/{runner}/mem", "rb").read(1)),
        "first": attempt(lambda: open("/proc/1/environ").read()),
        "signal": attempt(lambda: os.kill(runner, 0)),
        "parent": attempt(lambda: os.kill(os.getppid(), 9)),
        "outside": [attempt(lambda: open(path + "/taskyard-test", "w"))
            for path in ("/", "/usr", "/etc", "/dev/shm", "/var/tmp", os.path.dirname(secret))],
        "descriptors": [number for number in range(1000) if attempt(lambda: os.fstat(number)) != "OSError"],
        "inside": attempt(lambda: open("mine", "w").write("x")),
        "network": attempt(listening),
        "root": attempt(lambda: os.setuid(0)),
        "host": attempt(lambda: open("/etc/passwd").read()),
    }
"""


def test_a_function_sees_and_reaches_nothing_of_the_service(way: Way, tmp_path: Path, monkeypatch: Any) -> None:
    """Environment, secrets, files, processes, network and descriptors of the runner."""
    import socket

    monkeypatch.setenv("TASKYARD_SECRET_KEY", "the secret of the house")
    secret = tmp_path / "secret"
    secret.write_text("the secret of the house")
    secret.chmod(0o600)
    if way.user is not None:
        os.chown(secret, way.user, way.user)
    for parent in (tmp_path, *tmp_path.parents[:2]):
        with suppress(PermissionError):
            parent.chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = way.output(SNOOP, secret=str(secret), runner=PID, port=port)
    assert "the secret of the house" not in repr(found)
    assert not [name for name in found["environment"] if name.startswith("TASKYARD")]
    refusals = ("PermissionError", "FileNotFoundError", "ProcessLookupError", "NotADirectoryError", "OSError")
    names = ("secret", "listing", "runner", "memory", "first", "network", "host")
    assert [found[name] for name in names if found[name] not in refusals] == []
    assert [answer for answer in found["outside"] if answer not in refusals] == []
    assert found["inside"] == "1"
    assert found["root"] in ("PermissionError", "OSError")
    assert found["signal"] in ("PermissionError", "ProcessLookupError")
    assert len(found["descriptors"]) <= 5


BOMB = """
import os
def main(**kw):
    while True:
        try:
            os.fork()
        except OSError:
            pass
"""


def test_a_fork_bomb_ends_with_its_time(way: Way) -> None:
    ended = way.run(BOMB, seconds=1)
    assert ended.end in (End.TIME, End.RESOURCES)
    assert_nothing_is_left()


LEAVES = """
import os, subprocess, sys, time
def main(**kw):
    for _ in range(3):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(1000)
            os._exit(0)
    subprocess.Popen(["sleep", "1000"])
    return "gone"
"""


def test_nothing_that_a_function_has_started_outlives_it(way: Way) -> None:
    ended = way.run(LEAVES)
    assert ended.end is End.EXITED
    assert b"gone" in ended.report
    assert_nothing_is_left()


def assert_nothing_is_left() -> None:
    """Others on this machine have such processes as well, but not for long."""
    left = set(left_over())
    eventually(lambda: not left & set(left_over()))


def left_over() -> list[str]:
    """Return what runs of wardens, guests and what they have started."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            words = (entry / "cmdline").read_text() if entry.name.isdecimal() else ""
            if "Calls one function, inside its sandbox" in words or words == "sleep\x001000\x00":
                found.append(f"{entry.name} {words[:40]}")
    return found


def test_much_memory_is_too_much(way: Way) -> None:
    ended = way.run("def main(**kw):\n  kept = []\n  while True: kept.append(bytearray(100_000))")
    assert ended.end is End.RESOURCES or json.loads(ended.report) == {"memory": True}


SHARED = """
import os, time
def main(**kw):
    for _ in range(8):
        if os.fork() == 0:
            kept = [b"x" * 10_000_000 for _ in range(3)]
            time.sleep(100)
    time.sleep(100)
"""


def test_many_processes_have_no_more_memory_than_one(way: Way) -> None:
    assert way.run(SHARED).end is End.RESOURCES


def test_much_output_is_cut_off_with_a_note(way: Way) -> None:
    """100 MB of output cost no more than 1 MiB of memory and storage."""
    text = "def main(**kw):\n  for _ in range(100): print('x' * 1_000_000)\n  return 'done'"
    ended = way.run(text, seconds=60)
    assert b"done" in ended.report
    assert len(ended.logs) < 1_100_000
    assert ended.logs.endswith(b"[the log is cut off here: it was longer than 1048576 bytes]\n")


def test_a_big_file_is_refused(way: Way) -> None:
    text = """
def main(**kw):
    with open("big", "wb") as file:
        for _ in range(100):
            file.write(b"x" * 1_000_000)
"""
    ended = way.run(text)
    assert ended.end is End.RESOURCES or b"Errno 2" in ended.report, ended


LOCKED = """
import os
def main(**kw):
    os.makedirs("a/b")
    open("a/b/c", "w").close()
    os.symlink("/", "a/link")
    os.chmod("a/b", 0)
    os.chmod("a", 0)
"""


def test_its_directory_is_removed_whatever_is_in_it(way: Way) -> None:
    before = {entry.name for entry in Path("/tmp").glob("taskyard-run-*")}
    way.output(LOCKED)
    assert {entry.name for entry in Path("/tmp").glob("taskyard-run-*")} - before == set()


def test_a_function_that_must_stop_is_stopped(way: Way) -> None:
    ending = Going()

    def stopped() -> Ended:
        threading.Timer(0.3, ending.cut.set).start()
        call = Call("e", "main.main", {}, package("def main(**kw):\n  while True: pass"), Limits(60, 32 * 2**20, 100))
        return way.processes().call(call, ending)

    assert in_another_process(way.user, stopped).end is End.GIVEN_UP
    assert_nothing_is_left()


def test_a_dead_runner_takes_its_functions_along(way: Way) -> None:
    """kill -9 of the runner: nobody is left who could report, so nothing may go on."""
    text = "import time\ndef main(**kw):\n  time.sleep(1000)"
    call = Call("e", "main.main", {}, package(text), Limits(300, 32 * 2**20, 100))
    if (runner := os.fork()) == 0:
        become(way.user)
        way.processes().call(call, Going())
    wait_for(lambda: len(left_over()) > 1)
    os.kill(runner, 9)
    os.waitpid(runner, 0)
    wait_for(lambda: left_over() == [])


def wait_for(condition: Callable[[], bool]) -> None:
    waited = threading.Event()
    for _ in range(3000):
        if condition():
            return
        waited.wait(0.02)
    raise AssertionError("it did not happen in time")
