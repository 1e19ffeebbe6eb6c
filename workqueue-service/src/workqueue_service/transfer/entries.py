"""Entries of directories, in the shape that listings have (spec: workqueue 3.5)."""

import os
import stat
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

FILE_MODE = 0o100644
DIRECTORY_MODE = 0o040755


# A directory may have a hundred thousand entries: each is kept as numbers, and named only when it is sent.
FIELDS = (
    "st_mode",
    "st_nlink",
    "st_uid",
    "st_gid",
    "st_size",
    "st_atime",
    "st_mtime",
    "st_ctime",
    "st_ino",
    "st_dev",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, directory or other thing in a directory; ``numbers`` are those of :data:`FIELDS`."""

    name: str
    numbers: tuple[int, ...] = field(repr=False)

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory, not a link to one."""
        return stat.S_ISDIR(self.numbers[0])

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file, not a link to one."""
        return stat.S_ISREG(self.numbers[0])

    def json(self) -> dict[str, Any]:
        """Return the entry as a listing shows it."""
        return {"name": self.name, **dict(zip(FIELDS, self.numbers, strict=True))}


def of_system(name: str, found: os.stat_result) -> Entry:
    """Return the entry for what the local file system says."""
    times = int(found.st_atime), int(found.st_mtime), int(found.st_ctime)
    owner = found.st_nlink, found.st_uid, found.st_gid
    return Entry(name, (found.st_mode, *owner, found.st_size, *times, found.st_ino, found.st_dev))


def of_rclone(item: dict[str, Any]) -> Entry:
    """Return the entry for an item of rclone; what a storage does not have is made up (spec: workqueue 3.5)."""
    mode = DIRECTORY_MODE if item["IsDir"] else FILE_MODE
    size = 0 if item["IsDir"] else max(0, item["Size"])
    modified = int(datetime.fromisoformat(item["ModTime"]).timestamp())
    return Entry(item["Name"], (mode, 1, 0, 0, size, modified, modified, modified, 0, 0))


def top() -> Entry:
    """Return the entry for the root of a remote site, of which nothing is known but that it is one."""
    return Entry("", (DIRECTORY_MODE, 1, *[0] * 8))
