"""Entries of directories, in the shape that listings have (spec: workqueue 3.5)."""

import os
import stat
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

FILE_MODE = 0o100644
DIRECTORY_MODE = 0o040755


@dataclass(frozen=True)
class Entry:
    """One file, directory or other thing in a directory."""

    name: str
    mode: int
    size: int
    stat: dict[str, int] = field(repr=False)

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory, not a link to one."""
        return stat.S_ISDIR(self.mode)

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file, not a link to one."""
        return stat.S_ISREG(self.mode)

    def json(self) -> dict[str, Any]:
        """Return the entry as a listing shows it."""
        return {"name": self.name, **self.stat}


def of_system(name: str, result: os.stat_result) -> Entry:
    """Return the entry for what the local file system says."""
    values = {
        "st_mode": result.st_mode,
        "st_nlink": result.st_nlink,
        "st_uid": result.st_uid,
        "st_gid": result.st_gid,
        "st_size": result.st_size,
        "st_atime": int(result.st_atime),
        "st_mtime": int(result.st_mtime),
        "st_ctime": int(result.st_ctime),
        "st_ino": result.st_ino,
        "st_dev": result.st_dev,
    }
    return Entry(name, result.st_mode, result.st_size, values)


def of_rclone(item: dict[str, Any]) -> Entry:
    """Return the entry for an item of rclone; what a storage does not have is made up (spec: workqueue 3.5)."""
    mode = DIRECTORY_MODE if item["IsDir"] else FILE_MODE
    size = 0 if item["IsDir"] else max(0, item["Size"])
    modified = int(datetime.fromisoformat(item["ModTime"]).timestamp())
    values = {
        "st_mode": mode,
        "st_nlink": 1,
        "st_uid": 0,
        "st_gid": 0,
        "st_size": size,
        "st_atime": modified,
        "st_mtime": modified,
        "st_ctime": modified,
        "st_ino": 0,
        "st_dev": 0,
    }
    return Entry(item["Name"], mode, size, values)
