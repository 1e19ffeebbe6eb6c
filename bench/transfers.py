"""Copies files from one local site to another, and each time with rclone alone as the yardstick of the same run."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.house import House

QUEUE = "/workqueue/api/v1.0"
SITES = "/site/api/v1.0"
SMALL_FILES = 2_000
SMALL_SIZE = 4_096
PER_DIRECTORY = 100
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Pair:
    """Seconds of the same copy by the house and by rclone alone."""

    house: float
    alone: float

    @property
    def ratio(self) -> float:
        """Throughput of the house, rclone alone being 1."""
        return self.alone / self.house


@dataclass(frozen=True)
class Figures:
    """What one round found."""

    small: Pair
    large: Pair

    @property
    def small_per_second(self) -> float:
        """Small files a second by the house, from the request to the end of the job."""
        return SMALL_FILES / self.small.house


class Trees:
    """A source and a target directory below ``files``, registered as sites."""

    def __init__(self, house: House, files: Path, large_megabytes: int) -> None:
        self._house = house
        self._top = files / f"bench-{uuid.uuid4().hex[:12]}"
        self._source, self._target = self._top / "source", self._top / "target"
        self._fill(large_megabytes)
        self._sites = [self._register(directory) for directory in (self._source, self._target)]

    def close(self) -> None:
        """Remove the files."""
        shutil.rmtree(self._top)

    def measure(self, *, alone_first: bool) -> Figures:
        """Copy the small files, then the large one, by the house and by rclone alone, which take turns to be first."""
        return Figures(self._pair("small", alone_first), self._pair("large", alone_first))

    def _pair(self, name: str, alone_first: bool) -> Pair:
        ways = [self._alone, self._copied] if alone_first else [self._copied, self._alone]
        first, second = [way(name) for way in ways]
        return Pair(second, first) if alone_first else Pair(first, second)

    def copy_all(self) -> tuple[float, int]:
        """Copy the whole tree as one job; return its seconds and how many files have the same checksum as before."""
        with self._emptied() as target:
            seconds = self._job(self._source, target)
            return seconds, sum(_checksum(target / name) == _checksum(self._source / name) for name in self.files())

    def files(self) -> list[Path]:
        """Return the files of the source, relative to it."""
        return [path.relative_to(self._source) for path in self._source.rglob("*") if path.is_file()]

    def _fill(self, large_megabytes: int) -> None:
        for number in range(SMALL_FILES):
            path = self._source / "small" / f"{number // PER_DIRECTORY:03}" / f"{number:05}.dat"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(SMALL_SIZE))
        large = self._source / "large" / "large.dat"
        large.parent.mkdir()
        with large.open("wb") as file:
            for _ in range(large_megabytes):
                file.write(os.urandom(MEGABYTE))
        self._target.mkdir()

    def _register(self, directory: Path) -> int:
        body = {"site_name": f"{self._top.name} {directory.name}", "endpoints": [f"file://{directory}"]}
        return int(self._house.ask("POST", f"{SITES}/site", body))

    def _copied(self, name: str) -> float:
        with self._emptied() as target:
            return self._job(self._source / name, target)

    def _alone(self, name: str) -> float:
        with self._emptied() as target:
            words = ["copyto", str(self._source / "large/large.dat"), str(target / "large.dat")]
            if name == "small":
                # As many at a time as the transfer worker has slots.
                words = ["copy", "--transfers=8", str(self._source / "small"), str(target)]
            words = [_rclone(), "--config=", *words]
            started = time.perf_counter()
            subprocess.run(words, check=True)  # noqa: S603
            return time.perf_counter() - started

    @contextmanager
    def _emptied(self) -> Iterator[Path]:
        """Give a target that does not exist; what was written before is on the disk when the clock starts."""
        target = self._target / uuid.uuid4().hex
        os.sync()
        yield target
        shutil.rmtree(target)

    def _job(self, source: Path, target: Path) -> float:
        body = {
            "src_siteid": self._sites[0],
            "src_filepath": _path(source, self._source),
            "dst_siteid": self._sites[1],
            "dst_filepath": _path(target, self._target),
        }
        started = time.perf_counter()
        job = self._house.ask("POST", f"{QUEUE}/copy", body)["id"]
        status = self._house.watch(f"{QUEUE}/jobs/{job}/events")["status"]
        if status != "DONE":
            raise SystemExit(f"job {job} is {status}")
        return time.perf_counter() - started


def _path(directory: Path, site: Path) -> str:
    return "/" + "/".join(directory.relative_to(site).parts)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _rclone() -> str:
    beside = Path(sys.executable).with_name("rclone")
    return str(beside) if beside.exists() else "rclone"
