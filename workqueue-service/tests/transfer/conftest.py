"""Real storages, served by rclone on this machine, and a real rclone daemon to reach them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from workqueue_service.enums import JobType
from workqueue_service.transfer.endpoints import Host
from workqueue_service.transfer.executor import Executor
from workqueue_service.transfer.outcome import Outcome
from workqueue_service.transfer.rclone import RcloneDaemon
from workqueue_service.transfer.sites import Sites
from workqueue_service.transfer.testing import Kept, MemoryWorkqueue
from workqueue_service.transfer.testing_storages import Place, Servers
from workqueue_service.transfer.work import Bundle, Element, Job, Json
from workqueue_service.transfer.worker import TransferWorker


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
