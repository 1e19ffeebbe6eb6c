"""The worker as a process, at work for the real service."""

import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from flask import Flask
from werkzeug.serving import make_server

from chassis.testing.identity import KnownPrincipals
from workqueue_service import leases
from workqueue_service.container import Container
from workqueue_service.settings import WorkqueueSettings
from workqueue_service.testing import Person

WORKER = 7


@pytest.fixture
def roots(tmp_path: Path) -> Path:
    """The directory below which sites may lie."""
    directory = tmp_path / "sites"
    directory.mkdir()
    return directory


@pytest.fixture
def settings(settings: WorkqueueSettings, roots: Path) -> WorkqueueSettings:
    """Settings whose sites are real."""
    return settings.model_copy(update={"workqueue_file_roots": (roots,)})


@pytest.fixture
def address(app: Flask, container: Container) -> Iterator[str]:
    """The service, listening."""
    container.listener.start()
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    container.bells.close()
    server.shutdown()
    server.server_close()
    thread.join(10)
    container.listener.stop(5)


@pytest.fixture
def start_worker(address: str, known: KnownPrincipals, roots: Path) -> Iterator[Callable[..., Any]]:
    """Start worker processes; what still runs is killed at the end."""
    started: list[subprocess.Popen[bytes]] = []
    headers = known.add_worker(WORKER)

    def start(**more: str) -> subprocess.Popen[bytes]:
        settings = {
            "TASKYARD_PORT": "0",
            "TASKYARD_WORKQUEUE_URL": address,
            "TASKYARD_WORKER_ID": headers["X-Worker-ID"],
            "TASKYARD_WORKER_SECRET": headers["X-Secret"],
            "TASKYARD_WORKQUEUE_FILE_ROOTS": str(roots),
            "TASKYARD_TRANSFER_LEASE": "5",
        }
        command = [sys.executable, "-m", "workqueue_service", "transfer"]
        started.append(subprocess.Popen(command, env=os.environ | settings | more, stdout=subprocess.DEVNULL))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait(10)


@pytest.fixture
def make_place(make_site: Callable[..., int], roots: Path) -> Callable[..., tuple[int, Path]]:
    """Make a site that is a directory: ``make_place("a")`` → its id and path."""

    def make(name: str, **more: Any) -> tuple[int, Path]:
        (roots / name).mkdir()
        return make_site(name, endpoints=[f"file://{roots / name}"], **more), roots / name

    return make


def wait_until_ended(user: Person, job: int, seconds: float = 60.0) -> str:
    """Return the status of a job that has ended."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.1)):
        status = user.get(f"/jobs/{job}/status").json["status"]
        if status in ("DONE", "FAILED"):
            return str(status)
        pause.wait(0.1)
    raise AssertionError([dict(each, listing=None) for each in user.elements(job)])


def checksums(directory: Path) -> dict[str, str]:
    """Return the checksums of all files in a tree."""
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): hashlib.md5(path.read_bytes()).hexdigest() for path in files}


def test_moves_a_tree(make_place: Any, start_worker: Any, user: Person) -> None:
    (source, source_path), (target, target_path) = make_place("source"), make_place("target")
    for number in range(150):
        path = source_path / "tree" / f"dir {number % 7}" / f"ünï-{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(number * 10))
    (source_path / "tree" / "big").write_bytes(os.urandom(5_000_000))
    (source_path / "tree" / "empty" / "deep").mkdir(parents=True)
    start_worker()
    job = user.submit("copy", source, src_filepath="/tree", dst_siteid=target, dst_filepath="/out")
    assert wait_until_ended(user, job) == "DONE"
    assert checksums(target_path / "out") == checksums(source_path / "tree")
    assert (target_path / "out" / "empty" / "deep").is_dir()
    renamed = user.submit("rename", target, src_filepath="/out", dst_filepath="/renamed")
    assert wait_until_ended(user, renamed) == "DONE"
    removed = user.submit("remove", target, src_filepath="/renamed")
    assert wait_until_ended(user, removed) == "DONE"
    assert list(target_path.iterdir()) == []
    made = user.submit("mkdir", target, src_filepath="/new")
    assert wait_until_ended(user, made) == "DONE"
    assert (target_path / "new").is_dir()


def test_uploads_a_long_listing_in_parts(make_place: Any, start_worker: Any, user: Person) -> None:
    site, path = make_place("many")
    for number in range(6_000):
        (path / f"{number:05}").touch()
    start_worker()
    job = user.submit("list", site, src_filepath="/")
    assert wait_until_ended(user, job) == "DONE"
    (element,) = user.elements(job)
    assert list(element["listing"]) == ["/"]
    assert [entry["name"] for entry in element["listing"]["/"]] == [f"{number:05}" for number in range(6_000)]


def test_logs_are_for_people(make_place: Any, start_worker: Any, user: Person) -> None:
    """Spec: workqueue 6.4: lines of time, domain, stage and description, under the header (3.6)."""
    site, _ = make_place("empty")
    start_worker()
    job = user.submit("list", site, src_filepath="/nothing", max_tries=3)
    assert wait_until_ended(user, job) == "FAILED"
    (attempts,) = user.get(f"/jobs/{job}/output?dialect=pdm").json
    assert len(attempts) == 1, "an error that lasts is not tried again"
    assert "/nothing: No such file or directory (another attempt would fail too)" in attempts[0]["log"]
    head, *lines = attempts[0]["log"].splitlines()
    assert re.fullmatch(r"Job run on host: .*, returncode: 1, timestamp: .*", head)
    assert [re.fullmatch(r"\S+ list -- (start|failed) -- .+", line) is not None for line in lines] == [True, True]


def test_a_killed_worker_loses_an_attempt_and_nothing_else(
    make_place: Any, start_worker: Any, user: Person, container: Container
) -> None:
    (source, source_path), (target, target_path) = make_place("source"), make_place("target")
    (source_path / "big").write_bytes(os.urandom(6_000_000))
    first = start_worker()
    options = {"bandwidth": 3_000_000}
    job = user.submit(
        "copy", source, src_filepath="/big", dst_siteid=target, dst_filepath="/big", extra_opts=options, max_tries=3
    )
    until(lambda: any((each["monitoring_info"] or {}).get("transferred", 0) > 0 for each in user.elements(job)))
    children = psutil.Process(first.pid).children()
    first.send_signal(signal.SIGKILL)
    first.wait(10)
    assert psutil.wait_procs(children, 5)[1] == [], "rclone goes on without its worker"
    assert not (target_path / "big").exists()
    until(lambda: leases.sweep(container.database, container.backoff) > 0)
    start_worker()
    until(lambda: user.get(f"/jobs/{job}/status").json["status"] == "DONE")
    assert checksums(target_path) == checksums(source_path)
    assert [each["attempts"] for each in user.elements(job)] == [1, 2]


def test_ends_within_its_grace(start_worker: Any, make_place: Any, user: Person) -> None:
    site, _ = make_place("here")
    process = start_worker(TASKYARD_SHUTDOWN_GRACE="8")
    job = user.submit("list", site, src_filepath="/")
    assert wait_until_ended(user, job) == "DONE"
    children = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert psutil.wait_procs(children, 1)[1] == []


def test_says_what_is_missing() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TASKYARD_")}
    ended = subprocess.run(
        [sys.executable, "-m", "workqueue_service", "transfer"], env=environment, capture_output=True, text=True
    )
    assert ended.returncode == os.EX_CONFIG
    assert "TASKYARD_WORKQUEUE_URL" in ended.stderr


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for a condition that has no event of its own."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if condition():
            return
        pause.wait(0.05)
    raise AssertionError("it did not happen")
