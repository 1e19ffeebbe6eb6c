"""An in-memory twin of the workqueue's worker routes, for tests of the worker."""

import itertools
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from workqueue_service.enums import JobProtocol, JobStatus, JobType
from workqueue_service.transfer.listing import Directory
from workqueue_service.transfer.service import Refused, Unreachable
from workqueue_service.transfer.work import Element, Json

FINAL = (JobStatus.DONE, JobStatus.FAILED)


def site(url: str, *, home: str | None = "/", **more: Any) -> Json:
    """Return a site as a hand-out has it."""
    given = {"id": 1, "name": "test", "transport": url.partition(":")[0], "endpoints": [url], "home": home}
    return given | {"credentials": None, "bandwidth": None, "max_transfers": None} | more


@dataclass
class Kept:
    """An element in the twin, with all that was said about it."""

    job: Json
    given: Json
    status: JobStatus = JobStatus.NEW
    permanent: bool = False
    reports: list[Json] = field(default_factory=list)
    progress: list[Json] = field(default_factory=list)
    listing: list[tuple[str, list[Json]]] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        tried = len(self.reports) >= self.given["max_tries"]
        return self.status is JobStatus.DONE or (self.status is JobStatus.FAILED and (tried or self.permanent))

    @property
    def log(self) -> str:
        """All logs of its attempts."""
        return "".join(report["log"] for report in self.reports)


class MemoryWorkqueue:
    """Hands out what :meth:`submit` was given; every element until it is done or out of tries."""

    def __init__(self) -> None:
        self.away = False
        """While true, no call gets through."""
        self.refuses: dict[str, str] = {}
        """Sources whose successful report gets status 400, with the reason."""
        self.held = 0
        """The most elements that were handed out at a time."""
        self.cancelled: set[int] = set()
        self._elements: dict[tuple[int, int], Kept] = {}
        self._ids = itertools.count(1)
        self._changed = threading.Condition()

    def submit(
        self, kind: JobType, source: Json | None, elements: Sequence[tuple[Any, ...]], target: Json | None = None,
        *, tries: int = 1, attempts: int = 0, element_type: JobType | None = None, **options: Any,
    ) -> list[Kept]:  # fmt: skip
        """Queue a job with elements ``(source path, destination path, size)``, the last two may be left out."""
        number = next(self._ids)
        protocol = JobProtocol.GRIDFTP if source else JobProtocol.DUMMY
        job = {"id": number, "type": int(kind), "protocol": int(protocol), "options": options, "src_site": source,
               "dst_site": target, "src_filepath": elements[0][0]}  # fmt: skip
        kept = []
        for index, element in enumerate(elements):
            path, destination, size = (*element, None, 0)[:3] if len(element) < 3 else element
            given = {"id": index, "type": int(kind if element_type is None else element_type), "src_filepath": path,
                     "dst_filepath": destination, "size": size or 0, "max_tries": tries + attempts,
                     "attempts": attempts, "token": f"token-{number}.{index}"}  # fmt: skip
            kept.append(Kept(job, given))
        with self._changed:
            self._elements |= {(number, each.given["id"]): each for each in kept}
            self._changed.notify_all()
        return kept

    def wait(self, kept: Iterable[Kept], seconds: float = 60.0) -> None:
        """Wait until all have ended; fails after ``seconds``."""
        wanted = list(kept)
        with self._changed:
            ended = self._changed.wait_for(lambda: all(each.ended for each in wanted), seconds)
            assert ended, [(each.given["src_filepath"], each.status, each.log) for each in wanted if not each.ended]

    def ask(self, limit: int, wait: float, lease: float) -> list[Json]:
        """Hand out up to ``limit`` elements."""
        self._check()
        with self._changed:
            self._changed.wait_for(self._claimable, min(wait, 0.2))
            taken = self._claimable()[:limit]
            for each in taken:
                each.status = JobStatus.SUBMITTED
                each.given["attempts"] += 1 if each.reports else 0
            self.held = max(self.held, sum(each.status in (3, 4) for each in self._elements.values()))
        by_job = itertools.groupby(taken, key=lambda each: each.job["id"])
        groups = [list(group) for _, group in by_job]
        return [group[0].job | {"elements": [dict(each.given) for each in group]} for group in groups]

    def report(self, reports: Sequence[Json]) -> list[Json]:
        """Take results."""
        self._check()
        with self._changed:
            results = [self._recorded(report) for report in reports]
            self._changed.notify_all()
        return results

    def monitor(self, reports: Sequence[Json]) -> list[Json]:
        """Take progress."""
        self._check()
        with self._changed:
            for report in reports:
                each = self._found(report)
                each.progress.append(dict(report))
                if "transferred" in report and each.status not in FINAL:
                    each.status = JobStatus.RUNNING
            self._changed.notify_all()
            return [{"cancel": report["job_id"] in self.cancelled} for report in reports]

    def upload(self, element: Element, directories: Iterable[Directory]) -> None:
        """Take a listing."""
        kept = self._elements[(element.job.id, element.id)]
        kept.listing = [(path, [entry.json() for entry in entries]) for path, entries in directories]

    def wait_for_progress(self, kept: Kept, seconds: float = 30.0) -> Json:
        """Return the first report with bytes."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._moving(kept), seconds), kept
            return self._moving(kept)[0]

    def _moving(self, kept: Kept) -> list[Json]:
        return [each for each in kept.progress if each.get("transferred", 0) > 0]

    def _claimable(self) -> list[Kept]:
        ready = (JobStatus.NEW, JobStatus.FAILED)
        return [
            each
            for each in self._elements.values()
            if each.status in ready and not each.ended and each.job["id"] not in self.cancelled
        ]

    def _recorded(self, report: Json) -> Json:
        kept = self._found(report)
        path = kept.given["src_filepath"]
        if report["returncode"] == 0 and path in self.refuses:
            return {"status": 400, "message": self.refuses[path]}
        if kept.status in FINAL:
            return {"status": 403, "message": "Token not valid"}
        kept.reports.append(dict(report))
        kept.permanent = bool(report.get("permanent"))
        kept.status = JobStatus.FAILED if report["returncode"] else JobStatus.DONE
        listing = report.get("listing")
        if isinstance(listing, dict):
            kept.listing = list(listing.items())
        return {"status": 200}

    def _found(self, report: Json) -> Kept:
        kept = self._elements[(report["job_id"], report["element_id"])]
        if report["token"] != kept.given["token"]:
            raise Refused(403, "Invalid token")
        return kept

    def _check(self) -> None:
        if self.away:
            raise Unreachable("the workqueue is away")
