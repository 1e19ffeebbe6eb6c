"""What an attempt can do at one site, whatever the site is made of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from workqueue_service.transfer.entries import Entry


@dataclass(frozen=True)
class Spot:
    """A place as remote control commands want it: a remote definition and a path in it."""

    fs: dict[str, str]
    remote: str

    def as_(self, prefix: str) -> dict[str, Any]:
        """Return the parameters ``<prefix>Fs`` and ``<prefix>Remote``."""
        return {f"{prefix}Fs": self.fs, f"{prefix}Remote": self.remote}

    def plain(self) -> dict[str, Any]:
        """Return the parameters ``fs`` and ``remote``."""
        return {"fs": self.fs, "remote": self.remote}


class Storage(Protocol):
    """Paths are tidy (:mod:`workqueue_service.transfer.paths`); every method raises ``TransferError``."""

    def staged(self, size: int, *, overwrite: bool) -> bool:
        """Return whether a file of ``size`` bytes is written under another name first, for :meth:`settle`."""

    def stat(self, path: str) -> Entry | None:
        """Return what stands at ``path``, not following a link, or ``None``."""

    def stats(self, paths: Sequence[str]) -> list[Entry | None]:
        """Return :meth:`stat` of several paths at once."""

    def directories(self, paths: Sequence[str]) -> Iterator[list[Entry]]:
        """Return the entries of each of several directories, in the order of ``paths``."""

    def remove_file(self, path: str) -> None:
        """Remove one file, or one link."""

    def remove_directory(self, path: str) -> None:
        """Remove one empty directory."""

    def make_directory(self, path: str, mode: int) -> None:
        """Make a directory and those above it; one that exists is left as it is."""

    def rename(self, source: str, destination: str, *, again: bool = False) -> None:
        """Give a file or directory another name at this site; the new name must be free.

        ``again``: an earlier attempt may have done a part of it.
        """

    def settle(self, first: str, final: str, *, overwrite: bool) -> None:
        """Give a staged file its name; unless it may overwrite, the name must still be free."""

    def reading(self, path: str) -> Spot:
        """Return the spot of a file to read."""

    def writing(self, path: str) -> Spot:
        """Return the spot of a file to write; it need not exist."""

    def hashes(self) -> frozenset[str]:
        """Return the names of the checksums that the site can tell."""
