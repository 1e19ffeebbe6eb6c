"""Does what the elements of a bundle ask for, and says how it went."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain

import structlog

from workqueue_service.enums import JobType
from workqueue_service.transfer import listing, paths
from workqueue_service.transfer.attempt import Attempt, pretend
from workqueue_service.transfer.copying import Copier
from workqueue_service.transfer.endpoints import Redactor
from workqueue_service.transfer.errors import PermanentError, TemporaryError, TransferError
from workqueue_service.transfer.listing import Directory
from workqueue_service.transfer.outcome import Done, Upload
from workqueue_service.transfer.rclone import Rclone
from workqueue_service.transfer.sites import Sites
from workqueue_service.transfer.storage import Storage
from workqueue_service.transfer.work import Bundle, Job, Site

log = structlog.get_logger()

INLINE_ENTRIES = 1000
DEFAULT_MODE = 0o755


class Executor:
    """Works on bundles, in as many threads as call :meth:`run`."""

    def __init__(self, rclone: Rclone, sites: Sites, upload: Upload, done: Done) -> None:
        self._rclone = rclone
        self._sites = sites
        self._upload = upload
        self._done = done
        self._host = socket.gethostname()

    def run(self, bundle: Bundle) -> None:
        """Work on a bundle, pass on one outcome for each element unless nobody waits for them; never raises."""
        bundle.start()
        redact = self._redactor(bundle.elements[0].job)
        attempts = [Attempt(element, bundle, redact, self._host) for element in bundle.elements]
        try:
            self._perform(bundle, attempts)
        except TransferError as error:
            _fail(attempts, error)
        except Exception:
            log.exception("attempt_crashed", job=bundle.elements[0].job.id)
            _fail(attempts, TemporaryError("the transfer worker met an error of its own"))
        bundle.end()
        self._forget(bundle)
        if not bundle.forsaken:
            for attempt in attempts:
                self._done(attempt.outcome())

    def _forget(self, bundle: Bundle) -> None:
        """Have rclone forget the figures of a bundle: it keeps a limited number of them, and drops the oldest."""
        with suppress(TransferError):
            self._rclone.rc().call("core/stats-delete", {"group": bundle.group})

    def _perform(self, bundle: Bundle, attempts: list[Attempt]) -> None:
        first = bundle.elements[0]
        bundle.check()
        if first.job.src_site is None:
            for attempt in attempts:
                pretend(attempt)
        elif first.is_file_copy:
            self._copy(bundle, attempts)
        else:
            for attempt in attempts:
                attempt.guard(self._single)

    def _copy(self, bundle: Bundle, attempts: list[Attempt]) -> None:
        job = bundle.elements[0].job
        copier = Copier(self._rclone, self._storage(job.src_site, bundle), self._storage(job.dst_site, bundle), bundle)
        kind = copier.checksum()
        for attempt, copy in zip(attempts, copier.run(), strict=True):
            attempt.copied(copy, kind)

    def _single(self, attempt: Attempt) -> None:
        element, bundle = attempt.element, attempt.bundle
        bundle.check()
        if element.type is JobType.COPY:
            self._storage(element.job.dst_site, bundle).make_directory(paths.tidy(element.dst_filepath), DEFAULT_MODE)
            return
        storage = self._storage(element.job.src_site, bundle)
        action = {
            JobType.LIST: self._list,
            JobType.REMOVE: self._remove,
            JobType.RENAME: self._rename,
            JobType.MKDIR: self._make_directory,
        }[element.type]
        action(storage, paths.tidy(element.src_filepath), attempt)

    def _list(self, storage: Storage, path: str, attempt: Attempt) -> None:
        job = attempt.element.job
        if job.type is JobType.RENAME:
            found: Iterator[Directory] = iter([listing.top(storage, path)])
        else:
            depth = int(job.options.get("depth", listing.ALL_LEVELS)) if job.type is JobType.LIST else -1
            found = listing.walk(storage, path, depth)
        self._deliver(attempt, attempt.counted(found))

    def _deliver(self, attempt: Attempt, found: Iterator[Directory]) -> None:
        """Put a small listing into the report; upload a large one while it is made."""
        begun: list[Directory] = []
        size = 0
        for directory in found:
            begun.append(directory)
            size += 1 + len(directory[1])
            if size > INLINE_ENTRIES:
                self._upload(attempt.element, chain(begun, found))
                attempt.uploaded = True
                return
        attempt.listing = {path: [entry.json() for entry in entries] for path, entries in begun}

    def _remove(self, storage: Storage, path: str, attempt: Attempt) -> None:
        if not paths.parent(path)[1]:
            raise PermanentError(f"{path}: the top of a site is not removed")
        remove = storage.remove_directory if attempt.element.src_filepath.endswith("/") else storage.remove_file
        try:
            remove(path)
        except PermanentError:
            if attempt.element.number == 1 or storage.stat(path) is not None:
                raise
            attempt.note("skip", "an earlier attempt had already removed it")

    def _rename(self, storage: Storage, path: str, attempt: Attempt) -> None:
        new = paths.tidy(attempt.element.dst_filepath)
        if not paths.parent(path)[1] or not paths.parent(new)[1]:
            raise PermanentError("the top of a site is not renamed")
        if attempt.element.number > 1 and storage.stat(path) is None and storage.stat(new) is not None:
            attempt.note("skip", "an earlier attempt had already renamed it")
            return
        storage.rename(path, new, again=attempt.element.number > 1)

    def _make_directory(self, storage: Storage, path: str, attempt: Attempt) -> None:
        options = attempt.element.job.options
        if attempt.element.number == 1 and storage.stat(path) is not None:
            raise PermanentError(f"{path}: already exists")
        directory = paths.parent(path)[0]
        if not options.get("parent", True) and storage.stat(directory) is None:
            raise PermanentError(f"{directory}: No such directory, and the job says not to make it")
        storage.make_directory(path, int(options.get("permissions", DEFAULT_MODE)))

    def _storage(self, site: Site | None, bundle: Bundle) -> Storage:
        if site is None:
            raise PermanentError("the job has no destination site")
        return self._sites.storage(site, bundle)

    def _redactor(self, job: Job) -> Redactor:
        sites = [site for site in (job.src_site, job.dst_site) if site is not None]
        try:
            return Redactor(*(self._sites.endpoint(site) for site in sites))
        except TransferError:
            return Redactor()


def _fail(attempts: list[Attempt], error: TransferError) -> None:
    for attempt in attempts:
        attempt.error = attempt.error or error
