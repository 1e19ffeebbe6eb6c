"""COPY: files from one site to another, verified, and never half under their final name."""

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from workqueue_service.transfer import paths
from workqueue_service.transfer.errors import PermanentError, TransferError
from workqueue_service.transfer.rc import Json, RcloneLost
from workqueue_service.transfer.rclone import Rclone
from workqueue_service.transfer.storage import Spot, Storage
from workqueue_service.transfer.work import Bundle, Element

AT_ONCE = 4
"""Small files of one bundle that are in flight."""
LONG_NAME = 100
SUFFIX_LENGTH = len(".0123abcd.partial")
# Of checksums that two sites share, the one that costs least where it has to be computed.
PREFERRED = ("md5", "sha1", "crc32", "sha256")


@dataclass
class Copy:
    """One file on its way."""

    element: Element
    source: str
    destination: str
    error: TransferError | None = None
    skipped: bool = False
    """Whether an earlier attempt had already done it."""


class Copier:
    """Copies the files of one bundle."""

    def __init__(self, rclone: Rclone, source: Storage, destination: Storage, bundle: Bundle) -> None:
        self._rclone = rclone
        self._source = source
        self._destination = destination
        self._bundle = bundle
        job = bundle.elements[0].job
        self._options = job.options
        limits = [limit for limit in (job.options.get("bandwidth"), *_bandwidths(job)) if limit]
        self._limit = min(limits, default=None)
        self._overwrite = bool(self._options.get("overwrite"))

    def checksum(self) -> str | None:
        """Return the name of the checksum that is compared, or ``None``: only sizes are."""
        if not self._options.get("checksum", True):
            return None
        shared = self._source.hashes() & self._destination.hashes()
        return next((name for name in PREFERRED if name in shared), min(shared, default=None))

    def run(self) -> list[Copy]:
        """Copy all files of the bundle; each has its own error, or none."""
        copies = [self._prepared(element) for element in self._bundle.elements]
        self._tidy_up([copy for copy in copies if copy.element.number > 1 and copy.error is None])
        self._look_at_destinations([copy for copy in copies if copy.error is None])
        waiting = [copy for copy in copies if copy.error is None and not copy.skipped]
        if waiting:
            self._transfer(waiting)
            # rclone cleans up after itself, unless it was killed; removing more could hit whoever has the lease now.
            self._tidy_up([copy for copy in waiting if isinstance(copy.error, RcloneLost)])
        return copies

    def _prepared(self, element: Element) -> Copy:
        copy = Copy(element, "", "")
        try:
            copy.source, copy.destination = paths.tidy(element.src_filepath), paths.tidy(element.dst_filepath)
            self._source.reading(copy.source)
            self._destination.writing(copy.destination)
            if not paths.parent(copy.destination)[1]:
                raise PermanentError(f"{copy.destination}: Is a directory")
            self._check_parent(copy.destination)
        except TransferError as error:
            copy.error = error
        return copy

    def _check_parent(self, destination: str) -> None:
        directory = paths.parent(destination)[0]
        if not self._options.get("parent", True) and self._destination.stat(directory) is None:
            raise PermanentError(f"{directory}: No such directory, and the job says not to make it")

    def _look_at_destinations(self, copies: list[Copy]) -> None:
        """Refuse what exists, unless it may be overwritten, or is what an earlier attempt has left complete."""
        if self._overwrite or not copies:
            return
        found = self._destination.stats([copy.destination for copy in copies])
        for copy, entry in zip(copies, found, strict=True):
            if entry is None:
                continue
            if copy.element.number > 1 and self._same(copy):
                copy.skipped = True
            else:
                copy.error = PermanentError(f"{copy.destination}: already exists")

    def _same(self, copy: Copy) -> bool:
        """Return whether source and destination have the same size and checksum."""
        try:
            kind = self.checksum()
            spots = [self._source.reading(copy.source), self._destination.writing(copy.destination)]
            return bool(self._fingerprint(spots[0], kind) == self._fingerprint(spots[1], kind))
        except TransferError:
            return False

    def _fingerprint(self, spot: Spot, kind: str | None) -> Any:
        option: Json = {"filesOnly": True, "noMimeType": True, "noModTime": True}
        if kind is not None:
            option |= {"showHash": True, "hashTypes": [kind]}
        item = self._call("operations/stat", spot.plain() | {"opt": option})["item"]
        return (item["Size"], item.get("Hashes")) if item else object()

    def _transfer(self, copies: list[Copy]) -> None:
        try:
            answers = self._send([self._order(copy) for copy in copies])
        except TransferError as error:
            answers = [error] * len(copies)
        for copy, answer in zip(copies, answers, strict=True):
            copy.error = answer if isinstance(answer, TransferError) else None
            if self._is_staged(copy):
                self._settle(copy)

    def _send(self, orders: list[Json]) -> list[Json | TransferError]:
        if len(orders) > 1:
            return self._rclone.rc().batch(orders, AT_ONCE, self._seconds())
        order = dict(orders[0])
        return [self._rclone.rc().call(order.pop("_path"), order, self._seconds())]

    def _order(self, copy: Copy) -> Json:
        overwrite = self._overwrite
        config: Json = {"IgnoreChecksum": not self._options.get("checksum", True)}
        # Of a second attempt, what the first one has finished is kept; else what exists was looked at already.
        config |= {"CheckSum": True} if overwrite and copy.element.number > 1 else {"IgnoreTimes": True}
        if not overwrite:
            config["NoCheckDest"] = True
        if self._is_staged(copy):
            config["Inplace"] = True
        if self._limit is not None:
            config["BwLimitFile"] = f"{self._limit}B"
        source = self._source.reading(copy.source).as_("src")
        destination = self._destination.writing(self._first_name(copy)).as_("dst")
        group = {"_group": self._bundle.group}
        return {"_path": "operations/copyfile", **source, **destination, **group, "_config": config}

    def _first_name(self, copy: Copy) -> str:
        if not self._is_staged(copy):
            return copy.destination
        directory, name = paths.parent(copy.destination)
        element = copy.element
        mark = f"{crc32(f'{element.job.id}.{element.id}.{element.number}'.encode()):08x}"
        return paths.join(directory, f"{_stem(name)}.{mark}.partial")

    def _is_staged(self, copy: Copy) -> bool:
        return self._destination.staged(copy.element.size, overwrite=self._overwrite)

    def _settle(self, copy: Copy) -> None:
        """Give a file that was written under another name its own; remove what is not whole, or not needed."""
        if copy.error is None:
            try:
                self._destination.settle(self._first_name(copy), copy.destination, overwrite=self._overwrite)
            except TransferError as error:
                # An earlier attempt that was given up may have come to its end after all.
                copy.skipped = copy.element.number > 1 and self._same(copy)
                copy.error = None if copy.skipped else error
        if copy.error is not None or copy.skipped:
            with suppress(TransferError):
                self._destination.remove_file(self._first_name(copy))

    def _tidy_up(self, copies: list[Copy]) -> None:
        """Remove what interrupted attempts have left beside the destinations."""
        if not copies:
            return
        directories = sorted({paths.parent(copy.destination)[0] for copy in copies})
        names = [paths.parent(copy.destination)[1] for copy in copies]
        left = re.compile("|".join(map(_leftover, names)))
        for directory in directories:
            # That there is no such directory, or no way to the site, the attempt says itself.
            with suppress(TransferError):
                for entry in next(self._destination.directories([directory])):
                    if left.fullmatch(entry.name) and not entry.is_directory:
                        self._destination.remove_file(paths.join(directory, entry.name))

    def _call(self, command: str, body: Json) -> Json:
        return self._rclone.rc().call(command, body | {"_group": self._bundle.group}, self._seconds())

    def _seconds(self) -> float:
        return self._bundle.seconds + 30


def _leftover(name: str) -> str:
    """Return the pattern of names for unfinished files, rclone's and ours."""
    return re.escape(_stem(name)) + r"\.[0-9a-f]{8}\.partial"


def _stem(name: str) -> str:
    """Return the part of a name to which the suffix is appended, so that a long name does not become too long."""
    encoded = name.encode()
    return encoded[:-SUFFIX_LENGTH].decode(errors="ignore") if len(encoded) > LONG_NAME else name


def _bandwidths(job: Any) -> tuple[int | None, int | None]:
    return job.src_site.bandwidth, job.dst_site.bandwidth
