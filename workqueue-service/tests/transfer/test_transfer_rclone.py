"""The daemon: one at a time, private, and back when it dies."""

import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from workqueue_service.transfer.errors import PermanentError, TemporaryError
from workqueue_service.transfer.rc import Rc, RcloneLost
from workqueue_service.transfer.rclone import RcloneDaemon


@pytest.fixture
def daemon() -> Iterator[RcloneDaemon]:
    """A daemon that may be killed."""
    running = RcloneDaemon()
    running.start()
    running.rc()
    yield running
    running.stop()


def kill(daemon: RcloneDaemon) -> None:
    process = psutil.Process(daemon.pid)
    process.kill()
    psutil.wait_procs([process], 10)


def test_comes_back_when_it_dies(daemon: RcloneDaemon) -> None:
    old, pid = daemon.rc(), daemon.pid
    kill(daemon)
    with pytest.raises(RcloneLost):
        old.call("rc/noop", {})
    # Who lost it gets the next one, at once: an attempt must not fail twice for one death.
    assert daemon.rc().call("core/pid", {})["pid"] != pid


def test_whoever_waits_for_an_answer_hears_of_its_death(daemon: RcloneDaemon) -> None:
    failures: list[BaseException] = []
    ready = threading.Event()

    def wait() -> None:
        rc = daemon.rc()
        rc.call("rc/noop", {})
        ready.set()
        try:
            rc.call("core/command", {"command": "rcd"}, 30)
        except TemporaryError as error:
            failures.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert ready.wait(10)
    kill(daemon)
    waiting.join(20)
    assert not waiting.is_alive()


def test_an_idle_connection_that_was_closed_is_replaced(daemon: RcloneDaemon) -> None:
    rc = daemon.rc()
    rc.call("rc/noop", {})
    for connection in rc._connections:
        if connection.sock is not None:
            connection.sock.shutdown(2)
    assert rc.call("rc/noop", {"a": 1}) == {"a": 1}
    assert not rc.lost


def test_errors_come_with_their_message_alone(daemon: RcloneDaemon) -> None:
    """The answer itself repeats what the call had in it."""
    site = {"type": "sftp", "host": "127.0.0.1", "port": "9", "user": "ada", "pass": "very-secret"}
    with pytest.raises(TemporaryError) as caught:
        daemon.rc().call("operations/list", {"fs": site, "remote": ""})
    assert caught.value.message
    assert "very-secret" not in caught.value.message


def test_batches_answer_in_order(daemon: RcloneDaemon) -> None:
    calls = [{"_path": "rc/noop", "n": 1}, {"_path": "operations/list", "fs": ":nothing:", "remote": ""}]
    first, second = daemon.rc().batch(calls, 2, 10)
    assert isinstance(first, dict)
    assert first["n"] == 1
    assert isinstance(second, PermanentError)


def test_nobody_gets_in_without_its_password(daemon: RcloneDaemon) -> None:
    stranger = Rc(str(next(daemon.home.glob("*.sock"))), "user", "password")
    with pytest.raises(TemporaryError):
        stranger.call("core/version", {})
    stranger.close()


def test_leaves_nothing_behind() -> None:
    daemon = RcloneDaemon()
    daemon.start()
    daemon.rc()
    process = psutil.Process(daemon.pid)
    daemon.stop()
    assert not daemon.home.exists()
    assert not process.is_running()
    with pytest.raises(TemporaryError):
        daemon.rc()


def test_a_binary_that_does_not_work_is_tried_again(tmp_path: Path) -> None:
    broken = tmp_path / "rclone"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    daemon = RcloneDaemon(binary=str(broken))
    daemon.start()
    assert daemon.pid is None or psutil.pid_exists(daemon.pid)
    daemon.stop()
