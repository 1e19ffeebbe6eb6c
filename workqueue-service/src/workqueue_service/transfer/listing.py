"""Listings of trees, directory by directory, never whole in memory (spec: workqueue 3.5)."""

from collections.abc import Iterator

from workqueue_service.transfer import paths
from workqueue_service.transfer.entries import Entry
from workqueue_service.transfer.errors import PermanentError
from workqueue_service.transfer.storage import Storage

Directory = tuple[str, list[Entry]]

AT_ONCE = 16
ALL_LEVELS = -1


def walk(storage: Storage, path: str, depth: int) -> Iterator[Directory]:
    """Yield the directories of the tree at ``path`` with their entries, the top first.

    A file yields its parent directory with that one entry. ``depth`` counts levels; 0 and 1 both mean one, -1 all
    of them. Links are listed, never followed.
    """
    found = storage.stat(path)
    if found is None:
        raise PermanentError(f"{path}: No such file or directory")
    if found.is_directory:
        yield from _walk_tree(storage, path, depth)
    else:
        yield paths.parent(path)[0], [found]


def top(storage: Storage, path: str) -> Directory:
    """Return what shows that ``path`` is there: its parent with the one entry."""
    found = storage.stat(path)
    if found is None:
        raise PermanentError(f"{path}: No such file or directory")
    return paths.parent(path)[0], [found]


def _walk_tree(storage: Storage, path: str, depth: int) -> Iterator[Directory]:
    level = [path]
    while level:
        deeper: list[str] = []
        for start in range(0, len(level), AT_ONCE):
            some = level[start : start + AT_ONCE]
            for directory, entries in zip(some, storage.directories(some), strict=True):
                yield directory, entries
                deeper += [paths.join(directory, entry.name) for entry in entries if entry.is_directory]
        depth -= 1
        level = [] if depth in (0, -1) else deeper
