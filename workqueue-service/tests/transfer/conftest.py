"""Real storages, served by rclone on this machine, and a real rclone daemon to reach them."""

import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from workqueue_service.enums import JobType
from workqueue_service.transfer.endpoints import Host
from workqueue_service.transfer.executor import Executor
from workqueue_service.transfer.outcome import Outcome
from workqueue_service.transfer.rclone import RcloneDaemon, find_binary
from workqueue_service.transfer.sites import Sites
from workqueue_service.transfer.testing import Kept, MemoryWorkqueue, site
from workqueue_service.transfer.work import Bundle, Element, Job, Json
from workqueue_service.transfer.worker import TransferWorker

PASSWORD = "pass word-é%/secret"
ACCESS_KEY, SECRET_KEY = "TASKYARDTESTKEY00000", "s3cretS3cretS3cretS3cretS3cretS3cret0000"
WRITABLE = ("file", "sftp", "s3", "webdav", "ftp")


@dataclass(frozen=True)
class Place:
    """A directory on this machine that is a site of some kind; ``path`` shows what is really in it."""

    kind: str
    path: Path
    site: Json

    def put(self, name: str, content: bytes = b"content") -> None:
        """Create a file, past the site."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    def files(self) -> dict[str, bytes]:
        """Return all files by their paths in the site."""
        found = sorted(self.path.rglob("*"))
        return {str(each.relative_to(self.path)): each.read_bytes() for each in found if each.is_file()}


class Servers:
    """Storage servers, each started when it is first wanted."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._running: dict[str, tuple[subprocess.Popen[bytes], int]] = {}

    def place(self, kind: str, authorized_key: str = "") -> Place:
        """Return a new empty directory behind a server of ``kind`` (or none, for ``file``)."""
        name = f"place-{uuid.uuid4().hex[:12]}"
        root = self._directory / kind
        (root / name).mkdir(parents=True)
        if kind == "file":
            return Place(kind, root / name, site(f"file://{root / name}"))
        port = self._port(kind, root, authorized_key)
        given = {
            "sftp": (f"sftp://127.0.0.1:{port}/{name}", {"username": "ada", "password": PASSWORD}),
            "ftp": (f"ftp://127.0.0.1:{port}/{name}", {"username": "ada", "password": PASSWORD}),
            "webdav": (f"webdav://127.0.0.1:{port}/{name}", {"username": "ada", "password": PASSWORD}),
            "http": (f"http://127.0.0.1:{port}/{name}", {"username": "ada", "password": PASSWORD}),
            "s3": (
                f"s3://{name}?endpoint=http://127.0.0.1:{port}&region=us-east-1",
                {"username": ACCESS_KEY, "password": SECRET_KEY},
            ),
        }[kind]
        return Place(kind, root / name, site(given[0], credentials=given[1]))

    def stop(self) -> None:
        """End all servers."""
        for process, _ in self._running.values():
            process.terminate()
            process.wait(10)

    def _port(self, kind: str, root: Path, authorized_key: str) -> int:
        name = kind + authorized_key
        if name not in self._running:
            self._running[name] = self._start(kind, root, authorized_key)
        return self._running[name][1]

    def _start(self, kind: str, root: Path, authorized_key: str) -> tuple[subprocess.Popen[bytes], int]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        login = ["--auth-key", f"{ACCESS_KEY},{SECRET_KEY}"] if kind == "s3" else ["--user=ada", f"--pass={PASSWORD}"]
        if authorized_key:
            keys = self._directory / "authorized_keys"
            keys.write_text(authorized_key + "\n")
            login = [f"--authorized-keys={keys}"]
        process = subprocess.Popen(
            # A server that remembers directories would not see what a test puts there behind its back.
            [find_binary(), "serve", kind, str(root), f"--addr=127.0.0.1:{port}", "--config=", "--dir-cache-time=1ms",
             "--vfs-cache-mode=off",
             f"--cache-dir={self._directory / (kind + '-cache')}", *login],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                assert process.poll() is None, f"the {kind} server has ended"
                assert time.monotonic() < deadline, f"the {kind} server does not start"
            else:
                return process, port


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Storage servers for all tests."""
    running = Servers(tmp_path_factory.mktemp("storages"))
    yield running
    running.stop()


@pytest.fixture
def place(servers: Servers) -> Callable[[str], Place]:
    """Make a place of a kind."""
    return servers.place


@pytest.fixture(scope="session")
def rclone() -> Iterator[RcloneDaemon]:
    """A running daemon for all tests; one that kills it starts its own."""
    daemon = RcloneDaemon()
    daemon.start()
    yield daemon
    daemon.stop()


@pytest.fixture(scope="session")
def host() -> Host:
    """An operator who allows everything."""
    return Host(directories=(Path("/"),))


class Hands:
    """Runs single elements, without a worker around them."""

    def __init__(self, rclone: RcloneDaemon, host: Host) -> None:
        self.outcomes: list[Outcome] = []
        self.workqueue = MemoryWorkqueue()
        self._executor = Executor(rclone, Sites(rclone, host), self.workqueue.upload, self.outcomes.append)

    def run(self, kind: JobType, source: Json | None, *elements: tuple[Any, ...], **more: Any) -> list[Outcome]:
        """Run elements of one job as one bundle and return their outcomes."""
        kept = self.workqueue.submit(kind, source, elements, **more)
        return self.bundle(Bundle([self.element(each) for each in kept]))

    def bundle(self, bundle: Bundle) -> list[Outcome]:
        """Run a bundle and return its outcomes."""
        self.outcomes.clear()
        self._executor.run(bundle)
        return list(self.outcomes)

    @staticmethod
    def element(kept: Kept) -> Element:
        """Return what the worker makes of an element."""
        return Element.of(Job.of(kept.job), kept.given)


@pytest.fixture
def hands(rclone: RcloneDaemon, host: Host) -> Hands:
    """Something that runs elements."""
    return Hands(rclone, host)


@pytest.fixture
def make_hands() -> Callable[[RcloneDaemon, Host], Hands]:
    """Make hands with a daemon and a host of their own."""
    return Hands


@pytest.fixture
def workqueue() -> MemoryWorkqueue:
    """An empty workqueue."""
    return MemoryWorkqueue()


@pytest.fixture
def transfer_worker(rclone: RcloneDaemon, host: Host, workqueue: MemoryWorkqueue) -> Iterator[TransferWorker]:
    """A running worker on the in-memory workqueue."""
    running = TransferWorker(rclone, Sites(rclone, host), workqueue, slots=8)
    running.start()
    yield running
    running.stop(8)
