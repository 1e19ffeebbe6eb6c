"""Sites on the file system of the worker: nothing follows a link out of the site's root."""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from workqueue_service.transfer import paths
from workqueue_service.transfer.endpoints import Endpoint
from workqueue_service.transfer.entries import Entry, of_system
from workqueue_service.transfer.errors import PermanentError, from_system
from workqueue_service.transfer.renaming import rename_new
from workqueue_service.transfer.storage import Spot

# What rclone can compute for a file on a disk and other storages can tell.
HASHES = frozenset({"md5", "sha1", "sha256", "crc32"})


class LocalStorage:
    """A directory of this host. The work that needs no data is done here; rclone moves the data."""

    def __init__(self, endpoint: Endpoint, home: str, allowed: Sequence[Path]) -> None:
        root = os.path.realpath(endpoint.root or "/")
        if not any(_within(root, os.path.realpath(directory)) for directory in allowed):
            raise PermanentError("the directory of this site is not one that the operator of the worker allows")
        self._root = root
        self._home = home.strip("/")
        self._fs = {**endpoint.options, "_root": root}
        # A storage lives as long as one bundle: following the links of each path anew costs more than a small file.
        self._followed: dict[str, str] = {}

    def stat(self, path: str) -> Entry | None:
        """Return what stands at ``path``, not following a link, or ``None``."""
        real = self._real(path)
        try:
            return of_system(os.path.basename(real), os.lstat(real))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise from_system(error, path) from None

    def stats(self, paths: Sequence[str]) -> list[Entry | None]:
        """Return :meth:`stat` of several paths."""
        return [self.stat(path) for path in paths]

    def directories(self, paths: Sequence[str]) -> Iterator[list[Entry]]:
        """Return the entries of each of several directories, sorted by name."""
        for path in paths:
            try:
                with os.scandir(self._resolved(path)) as found:
                    yield sorted((_entry(item) for item in found), key=lambda entry: entry.name)
            except OSError as error:
                raise from_system(error, path) from None

    def remove_file(self, path: str) -> None:
        """Remove one file, or one link."""
        _try(lambda: os.unlink(self._real(path)), path)

    def remove_directory(self, path: str) -> None:
        """Remove one empty directory."""
        _try(lambda: os.rmdir(self._real(path)), path)

    def make_directory(self, path: str, mode: int) -> None:
        """Make a directory with ``mode`` and those above it."""
        real = self._real(path)

        def make() -> None:
            if not os.path.isdir(real):
                os.makedirs(os.path.dirname(real), exist_ok=True)
                os.mkdir(real)
                os.chmod(real, mode & 0o7777)

        _try(make, path)

    def rename(self, source: str, destination: str, *, again: bool = False) -> None:
        """Give a file or directory another name; the new name must be free."""
        old, new = self._real(source), self._real(destination)
        if new != old and _within(new, old):
            raise PermanentError(f"{destination}: lies in what is to be renamed")

        def move() -> None:
            os.makedirs(os.path.dirname(new), exist_ok=True)
            rename_new(old, new)

        _name(move, destination if os.path.lexists(old) else source, destination)

    def staged(self, size: int, *, overwrite: bool) -> bool:
        """Return whether a file is written under another name first: here none is ever replaced by chance."""
        return not overwrite

    def settle(self, first: str, final: str, *, overwrite: bool) -> None:
        """Give a staged file its name, which must still be free."""
        old, new = self._real(first), self._real(final)
        _name(lambda: rename_new(old, new), final, final)

    def reading(self, path: str) -> Spot:
        """Return the spot of a regular file; a link is followed as long as it stays in the site."""
        real = self._resolved(path)
        try:
            mode = os.stat(real).st_mode
        except OSError as error:
            raise from_system(error, path) from None
        if not stat.S_ISREG(mode):
            raise PermanentError(f"{path}: not a regular file")
        return self._spot(real)

    def writing(self, path: str) -> Spot:
        """Return the spot of a file to write; it replaces a link of that name, never what the link points to."""
        return self._spot(self._real(path))

    def hashes(self) -> frozenset[str]:
        """Return the checksums that rclone computes for local files."""
        return HASHES

    def _spot(self, real: str) -> Spot:
        return Spot(self._fs, os.path.relpath(real, self._root))

    def _joined(self, path: str) -> str:
        at_home, rest = paths.below(path)
        return os.path.join(self._root, self._home if at_home else "", rest).rstrip("/") or "/"

    def _resolved(self, path: str) -> str:
        """Return the real path, every link followed, or refuse it when it lies outside."""
        real = self._real(path)
        return self._inside(os.path.realpath(real), path) if os.path.islink(real) else real

    def _real(self, path: str) -> str:
        """Return the path with the links above its last part followed, or refuse it when it lies outside."""
        joined = self._joined(path)
        if joined == self._root:
            return joined
        directory, name = os.path.split(joined)
        if directory not in self._followed:
            self._followed[directory] = self._inside(os.path.realpath(directory), path)
        return os.path.join(self._followed[directory], name)

    def _inside(self, real: str, path: str) -> str:
        if not _within(real, self._root):
            raise PermanentError(f"{path}: leads out of the site through a link")
        return real


def _try(action: Callable[[], None], path: str) -> None:
    try:
        action()
    except OSError as error:
        raise from_system(error, path) from None


def _name(action: Callable[[], None], path: str, new: str) -> None:
    try:
        action()
    except FileExistsError:
        raise PermanentError(f"{new}: already exists") from None
    except OSError as error:
        raise from_system(error, path) from None


def _within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _entry(item: os.DirEntry[str]) -> Entry:
    try:
        item.name.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(item.name).decode(errors="replace")
        raise PermanentError(f"{shown}: the name is not UTF-8, which the workqueue needs") from None
    return of_system(item.name, item.stat(follow_symlinks=False))
