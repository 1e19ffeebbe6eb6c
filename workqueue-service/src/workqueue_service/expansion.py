"""From a listing to the elements of a COPY, REMOVE or RENAME job (spec: workqueue 5.6), inside the database."""

from collections.abc import Mapping
from typing import Any

from chassis.database import Transaction
from workqueue_service import events
from workqueue_service.enums import JobType
from workqueue_service.filepath import normalise, shown
from workqueue_service.listings import Place
from workqueue_service.statements import jobs as jobs_sql
from workqueue_service.statements import listings as sql
from workqueue_service.statements import sites as sites_sql


class CannotExpand(Exception):
    """The tree holds something that a job cannot carry; the message says what, for people."""


def check(tx: Transaction, place: Place, job_type: int) -> None:
    """Raise :class:`CannotExpand` when the stored listing has names or directories that no path may have."""
    if job_type in (JobType.LIST, JobType.MKDIR, JobType.RENAME):
        return
    if (path := tx.value(sql.unusable_directory, place.values())) is not None:
        raise CannotExpand(f"the directory '{shown(path)}' has a line break or .. in its path")
    if (name := tx.value(sql.unusable_name, place.values())) is not None:
        raise CannotExpand(f"the name '{shown(name)}' has a line break or slash in it, or is none")


def expand(tx: Transaction, place: Place) -> str:
    """Create the elements that follow from the listing of element 0, and return what is to be said in its log."""
    job = tx.one(jobs_sql.job_by_id, {"id": place.job_id})
    assert job is not None
    expander = EXPANDERS.get(JobType(job["type"]))
    if expander is None:
        return ""
    note = expander(tx, place, job, {**place.values(), "max_tries": job["max_tries"]})
    events.elements_ready(tx, job["id"], job["type"])
    return note


def _copy(tx: Transaction, place: Place, job: Mapping[str, Any], values: dict[str, Any]) -> str:
    source, destination = normalise(job["src_filepath"]), normalise(job["dst_filepath"])
    if tx.value(sql.top_of_listing, place.values()) != source:
        tx.execute(sql.expand_file_copy, {**values, "dst": destination})
        return _skipped(tx, place)
    _stay_below(tx, place, source)
    tree = {
        "dst": destination.rstrip("/"),
        "top_length": len(source.rstrip("/")) + 1,
        "directories": _makes_directories(tx, job["dst_siteid"]),
    }
    tx.execute(sql.expand_tree_copy, {**values, **tree})
    return _skipped(tx, place)


def _remove(tx: Transaction, place: Place, job: Mapping[str, Any], values: dict[str, Any]) -> str:
    source = normalise(job["src_filepath"])
    is_tree = tx.value(sql.top_of_listing, place.values()) == source
    if is_tree:
        _stay_below(tx, place, source)
    tx.execute(sql.expand_remove, {**values, "top": source if is_tree else None})
    return ""


def _rename(tx: Transaction, place: Place, job: Mapping[str, Any], values: dict[str, Any]) -> str:
    paths = {"src": normalise(job["src_filepath"]), "dst": normalise(job["dst_filepath"])}
    tx.execute(sql.expand_rename, {**values, **paths})
    return ""


def _stay_below(tx: Transaction, place: Place, top: str) -> None:
    outside = tx.value(sql.directory_outside, {**place.values(), "top": top, "below": top.rstrip("/") + "/"})
    if outside is not None:
        raise CannotExpand(f"the directory '{shown(outside)}' does not lie in '{shown(top)}'")


def _makes_directories(tx: Transaction, site_id: int) -> bool:
    """Whether empty directories are made: PDM workers cannot (Q34)."""
    site = tx.one(sites_sql.any_site, {"id": site_id})
    return site is not None and site["transport"] != "gsiftp"


def _skipped(tx: Transaction, place: Place) -> str:
    skipped = tx.value(sql.skipped_entries, place.values())
    return f"Skipped: {skipped} entries that are neither files nor directories\n" if skipped else ""


EXPANDERS = {JobType.COPY: _copy, JobType.REMOVE: _remove, JobType.RENAME: _rename}
