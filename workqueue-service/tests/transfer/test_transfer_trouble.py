"""What goes wrong while files move: no half file, no lost report, and a reason that a person can read."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from workqueue_service.enums import JobStatus, JobType
from workqueue_service.transfer.endpoints import Host
from workqueue_service.transfer.errors import PermanentError, TemporaryError, from_rclone
from workqueue_service.transfer.rclone import RcloneDaemon
from workqueue_service.transfer.sites import Sites
from workqueue_service.transfer.testing import MemoryWorkqueue, site
from workqueue_service.transfer.work import Bundle
from workqueue_service.transfer.worker import TransferWorker

SLOW = {"bandwidth": 4_000_000}
"""Bytes per second; rclone lets the first 4 MiB pass at once."""
BIG = 14_000_000


@pytest.fixture
def own_rclone() -> Iterator[RcloneDaemon]:
    """A daemon that may be killed."""
    daemon = RcloneDaemon()
    daemon.start()
    daemon.rc()
    yield daemon
    daemon.stop()


@pytest.fixture
def own_worker(own_rclone: RcloneDaemon, host: Host, workqueue: MemoryWorkqueue) -> Iterator[TransferWorker]:
    """A running worker with a daemon that may be killed."""
    running = TransferWorker(own_rclone, Sites(own_rclone, host), workqueue, slots=4)
    running.start()
    yield running
    running.stop(8)


@pytest.fixture
def moving(place: Callable[[str], Any], workqueue: MemoryWorkqueue, own_worker: TransferWorker) -> Callable[..., Any]:
    """Begin to copy a big file, slowly; return source, target and element once bytes are flowing."""

    def begin(kind: str = "file", **options: Any) -> tuple[Any, Any, Any]:
        source, target = place("file"), place(kind)
        source.put("big", os.urandom(BIG))
        options = SLOW | options
        (kept,) = workqueue.submit(JobType.COPY, source.site, [("/big", "/big", BIG)], target.site, **options)
        workqueue.wait_for_progress(kept)
        return source, target, kept

    return begin


def test_shows_progress(moving: Any, workqueue: MemoryWorkqueue) -> None:
    """Spec: workqueue 6.8, 4."""
    source, target, kept = moving()
    assert "big" not in target.files()
    workqueue.wait([kept])
    seen = [each["transferred"] for each in kept.progress if "transferred" in each]
    assert seen == sorted(seen)
    assert seen[-1] == BIG
    assert {"transferred", "elapsed", "instant", "average"} <= kept.progress[-1].keys()
    assert target.files() == source.files()


@pytest.mark.parametrize("kind", ["file", "sftp", "webdav"])
def test_a_killed_rclone_costs_an_attempt_and_nothing_else(
    kind: str, moving: Any, workqueue: MemoryWorkqueue, own_rclone: RcloneDaemon
) -> None:
    source, target, kept = moving(kind, tries=2)
    assert own_rclone.pid is not None
    os.kill(own_rclone.pid, signal.SIGKILL)
    workqueue.wait([kept])
    assert [report["returncode"] for report in kept.reports] == [1, 0]
    assert kept.reports[0]["permanent"] is False
    assert "rclone ended in the middle of the attempt" in kept.reports[0]["log"]
    assert target.files() == source.files()


def test_a_killed_rclone_leaves_no_partial_file(
    moving: Any, workqueue: MemoryWorkqueue, own_rclone: RcloneDaemon
) -> None:
    _, target, kept = moving()
    assert any(name.endswith(".partial") for name in target.files())
    assert own_rclone.pid is not None
    os.kill(own_rclone.pid, signal.SIGKILL)
    workqueue.wait([kept])
    assert target.files() == {}


@pytest.mark.parametrize("name", ["big", "n" * 200, "é" * 60])
def test_a_later_attempt_cleans_up_after_a_lost_worker(name: str, place: Any, hands: Any) -> None:
    source, target = place("file"), place("file")
    source.put(name, b"whole")
    stem = name.encode()[:-17].decode(errors="ignore") if len(name.encode()) > 100 else name
    target.put(f"{stem}.0123abcd.partial", b"wh")
    target.put("other.0123abcd.partial", b"not ours")
    hands.run(JobType.COPY, source.site, (f"/{name}", f"/{name}", 5), target=target.site, attempts=1)
    assert target.files() == {name: b"whole", "other.0123abcd.partial": b"not ours"}


@pytest.mark.parametrize("kind", ["file", "sftp", "webdav"])
def test_a_copy_that_takes_too_long_is_stopped(kind: str, moving: Any, workqueue: MemoryWorkqueue) -> None:
    _, target, kept = moving(kind, timeout=2, bandwidth=1_000_000)
    workqueue.wait([kept])
    assert "it took longer than 2 s (another attempt may succeed)" in kept.log
    assert target.files() == {}


def test_a_cancelled_copy_is_stopped_and_not_reported(
    moving: Any, workqueue: MemoryWorkqueue, own_worker: TransferWorker
) -> None:
    _, target, kept = moving(bandwidth=1_000_000)
    workqueue.cancelled.add(kept.job["id"])
    until(lambda: not own_worker.in_hand())
    assert kept.reports == []
    assert target.files() == {}


def test_a_worker_that_ends_gives_its_work_back(
    moving: Any, workqueue: MemoryWorkqueue, own_worker: TransferWorker
) -> None:
    """Spec: workqueue 6.8, 8."""
    _, target, kept = moving(bandwidth=1_000_000)
    own_worker.stop(5)
    assert [report["returncode"] for report in kept.reports] == [1]
    assert kept.permanent is False
    assert "the transfer worker was stopped" in kept.log
    assert target.files() == {}


def test_a_worker_that_ends_finishes_what_it_can(
    moving: Any, workqueue: MemoryWorkqueue, own_worker: TransferWorker
) -> None:
    source, target, kept = moving()
    own_worker.stop(20)
    assert kept.status is JobStatus.DONE
    assert target.files() == source.files()


def test_reports_wait_for_the_workqueue(moving: Any, workqueue: MemoryWorkqueue, own_worker: TransferWorker) -> None:
    """Spec: workqueue 6.8, 7."""
    source, target, kept = moving()
    workqueue.away = True
    until(lambda: not own_worker.in_hand())
    assert target.files() == source.files()
    assert kept.reports == []
    workqueue.away = False
    workqueue.wait([kept])
    assert kept.status is JobStatus.DONE


def test_a_listing_that_is_refused_is_a_failure(
    place: Any, workqueue: MemoryWorkqueue, transfer_worker: TransferWorker
) -> None:
    here = place("file")
    here.put("tree/x")
    workqueue.refuses["/tree"] = "the name is not to my liking"
    (kept,) = workqueue.submit(JobType.LIST, here.site, [("/tree",)])
    workqueue.wait([kept])
    assert kept.permanent
    assert "the name is not to my liking" in kept.log


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB; skipped where this user may not mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root may mount a small file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_fails_readably_and_leaves_nothing(small_disk: Path, place: Any, hands: Any) -> None:
    source = place("file")
    source.put("big", os.urandom(5_000_000))
    elements = [("/big", "/big", 5_000_000)]
    (outcome,) = hands.run(JobType.COPY, source.site, *elements, target=site(f"file://{small_disk}"))
    assert "disk space" in outcome.log
    assert outcome.error.permanent is False
    assert list(small_disk.iterdir()) == []


def test_a_storage_that_is_away_is_worth_another_attempt(place: Any, hands: Any) -> None:
    nowhere = site("webdav://127.0.0.1:9/", credentials={"username": "a", "password": "b"})
    (outcome,) = hands.run(JobType.LIST, nowhere, ("/",))
    assert outcome.error.permanent is False
    assert "connection refused" in outcome.log


@pytest.mark.parametrize("kind", ["sftp", "webdav", "ftp", "s3", "http"])
def test_a_wrong_password_is_not_worth_another_attempt(kind: str, place: Any, hands: Any) -> None:
    here = place(kind)
    wrong = here.site | {"credentials": here.site["credentials"] | {"password": "wrong", "username": "mallory"}}
    (outcome,) = hands.run(JobType.LIST, wrong, ("/",))
    assert outcome.error.permanent, outcome.log


def test_one_bad_file_does_not_spoil_its_bundle(place: Any, hands: Any) -> None:
    source, target = place("file"), place("sftp")
    source.put("a", b"1")
    source.put("c", b"3")
    elements = [(f"/{name}", f"/{name}", 1) for name in "abc"]
    outcomes = hands.run(JobType.COPY, source.site, *elements, target=target.site)
    assert [outcome.error is None for outcome in outcomes] == [True, False, True]
    assert target.files() == {"a": b"1", "c": b"3"}


def test_a_bundle_that_was_stopped_is_not_begun(place: Any, hands: Any) -> None:
    here = place("file")
    here.put("x")
    (kept,) = hands.workqueue.submit(JobType.REMOVE, here.site, [("/x",)])
    bundle = Bundle([hands.element(kept)])
    bundle.stop("because", forsaken=False)
    (outcome,) = hands.bundle(bundle)
    assert "because" in outcome.log
    assert here.files() == {"x": b"content"}


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("object not found", PermanentError),
        ("directory not found", PermanentError),
        ("open /x: permission denied", PermanentError),
        ("api error AccessDenied: Access Denied", PermanentError),
        ("ssh: handshake failed: ssh: unable to authenticate", PermanentError),
        ("write /x: no space left on device", TemporaryError),
        ("dial tcp 127.0.0.1:1: connect: connection refused", TemporaryError),
        ("read tcp: i/o timeout", TemporaryError),
        ("corrupted on transfer: md5 hashes differ", TemporaryError),
        ("Service Unavailable: 503", TemporaryError),
        ("lookup host: no such host", TemporaryError),
    ],
)
def test_errors_say_whether_another_attempt_helps(message: str, kind: type[Exception]) -> None:
    assert type(from_rclone(message)) is kind


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for a condition that has no event of its own."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        pause.wait(0.02)
    raise AssertionError("it did not happen")
