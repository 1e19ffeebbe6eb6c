"""The directories that functions run in on this machine, also those that a runner has left which was killed."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import structlog

log = structlog.get_logger()

PREFIX = "taskyard-run-"
YOUNG_SECONDS = 10.0
"""How old a directory is at least that is taken for left over: a new one is not held yet."""


@contextmanager
def directory(user: int | None) -> Iterator[str]:
    """Give an empty directory that belongs to ``user``; it and all that is in it is removed afterwards.

    It is locked meanwhile: the kernel lets go of that when this process ends, however that ends.
    """
    path = tempfile.mkdtemp(prefix=PREFIX)
    held = _held(path)
    try:
        if user is not None:
            os.chown(path, user, user)
        yield path
    finally:
        _remove(path)
        if held is not None:
            os.close(held)


def sweep() -> int:
    """Remove the directories whose owners have died, as far as this process may, and return how many."""
    removed = 0
    for entry in os.scandir(tempfile.gettempdir()):
        if entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False):
            with suppress(OSError):  # somebody else's, or gone meanwhile
                removed += _swept(entry)
    if removed:
        log.warning("directories_swept", count=removed)
    return removed


def _swept(entry: os.DirEntry[str]) -> bool:
    if time.time() - entry.stat(follow_symlinks=False).st_ctime < YOUNG_SECONDS:
        return False
    held = _held(entry.path)
    if held is None:
        return False
    try:
        _remove(entry.path)
    finally:
        os.close(held)
    return True


def _held(path: str) -> int | None:
    """Return the descriptor that holds a directory, ``None`` when another process does."""
    held = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        return None
    return held


def _remove(path: str) -> None:
    if os.geteuid() != 0:
        _unlock(path)
    shutil.rmtree(path)


def _unlock(path: str) -> None:
    """Open what a function has locked up; only where it ran as this process's user, and nothing of it runs any more."""
    os.chmod(path, 0o700)
    for parent, names, _ in os.walk(path):
        for name in names:
            if not os.path.islink(os.path.join(parent, name)):
                os.chmod(os.path.join(parent, name), 0o700)
