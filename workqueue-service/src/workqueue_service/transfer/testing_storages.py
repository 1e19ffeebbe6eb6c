"""Real storages for tests: directories of this machine, served by rclone in every way that sites can have."""

import socket
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

from chassis.testing.waiting import eventually
from workqueue_service.transfer.rclone import find_binary
from workqueue_service.transfer.testing import site
from workqueue_service.transfer.work import Json

PASSWORD = "pass word-é%/secret"  # noqa: S105 - of servers that live as long as a test
ACCESS_KEY, SECRET_KEY = "TASKYARDTESTKEY00000", "s3cretS3cretS3cretS3cretS3cretS3cret0000"


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
        process = subprocess.Popen(  # noqa: S603 - fixed words, no shell
            # A server that remembers directories would not see what a test puts there behind its back.
            [find_binary(), "serve", kind, str(root), f"--addr=127.0.0.1:{port}", "--config=", "--dir-cache-time=1ms",
             "--vfs-cache-mode=off",
             f"--cache-dir={self._directory / (kind + '-cache')}", *login],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        eventually(lambda: process.poll() is not None or _listens(port), 20)
        assert process.poll() is None, f"the {kind} server has ended"
        return process, port


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
