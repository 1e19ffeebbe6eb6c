"""What the tracker tells the house about projects and access, and what it hears about workers and accounts."""

from collections.abc import Mapping
from typing import Any

from chassis.database import Transaction
from chassis.events import Event, Handlers, outbox
from tracker_service.principals import Account, Worker, store_account, store_worker, tell_worker_changed

handlers = Handlers()

_PROJECT = ("name", "version", "public", "hidden", "paused")


def project_created(tx: Transaction, project: Mapping[str, Any]) -> None:
    """Tell of a new project."""
    _tell(tx, "tracker.project.created", project["id"], {name: project[name] for name in _PROJECT})


def project_updated(tx: Transaction, project: Mapping[str, Any]) -> None:
    """Tell of a project's settings as they are after a change."""
    _tell(tx, "tracker.project.updated", project["id"], {name: project[name] for name in _PROJECT})


def access_requested(tx: Transaction, project_id: int, worker_id: int, *, assign: bool, submit: bool) -> None:
    """Tell of a worker that asks for access."""
    _tell(tx, "tracker.access.requested", project_id, {"worker_id": worker_id, "assign": assign, "submit": submit})


def access_granted(tx: Transaction, project_id: int, worker_id: int, *, assign: bool, submit: bool, by: int) -> None:
    """Tell of a worker that has access now."""
    data = {"worker_id": worker_id, "assign": assign, "submit": submit, "by": by}
    _tell(tx, "tracker.access.granted", project_id, data)


def access_revoked(tx: Transaction, project_id: int, worker_id: int, *, by: int) -> None:
    """Tell of a worker whose request was refused or whose access was taken away."""
    data = {"worker_id": worker_id, "assign": False, "submit": False, "by": by}
    _tell(tx, "tracker.access.revoked", project_id, data)


def role_changed(tx: Transaction, project_id: int, account_id: int, role: int, *, by: int) -> None:
    """Tell of an account's new role bits, 0 for none."""
    _tell(tx, "tracker.role.changed", project_id, {"account_id": account_id, "role": role, "by": by})


def _tell(tx: Transaction, type_: str, project_id: int, data: Mapping[str, Any]) -> None:
    outbox.publish(tx, type_, f"project/{project_id}", {"project_id": project_id, **data})


@handlers.on("auth.worker.created")
@handlers.on("auth.worker.updated")
def on_worker(tx: Transaction, event: Event) -> None:
    """Keep the copy of the worker, and let its cached credentials go."""
    data = event.data
    store_worker(tx, Worker(data["worker_id"], data["alias"], data["paused"], data["created"], data["version"]))
    tell_worker_changed(tx, data["worker_id"])


@handlers.on("auth.account.created")
@handlers.on("auth.account.updated")
def on_account(tx: Transaction, event: Event) -> None:
    """Keep the copy of the account."""
    data = event.data
    store_account(
        tx,
        Account(data["account_id"], data["username"], data["tracker_admin"], data["register_time"], data["version"]),
    )
