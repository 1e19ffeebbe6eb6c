"""Which workers get transfers, and with them credentials of users: administrators decide."""

from typing import Any

from flask import Response

from workqueue_service import answers, callers
from workqueue_service.api import routes
from workqueue_service.container import container
from workqueue_service.statements import house as sql
from workqueue_service.times import wire

blueprint = routes.blueprint("trust")


@blueprint.get("/workers")
def list_workers() -> Response:
    """Return the trusted workers."""
    callers.administrator()
    rows = container().database.all(sql.trusted_workers)
    return answers.of({"workers": [_shown(row) for row in rows]})


@blueprint.put("/workers/<long:worker_id>")
def trust(worker_id: int) -> Response:
    """Trust a worker."""
    administrator = callers.administrator()
    container().database.execute(sql.trust_worker, {"worker_id": worker_id, "added_by": administrator.id})
    return answers.of({"worker_id": worker_id})


@blueprint.delete("/workers/<long:worker_id>")
def distrust(worker_id: int) -> Response:
    """Trust a worker no longer."""
    callers.administrator()
    container().database.execute(sql.distrust_worker, {"worker_id": worker_id})
    return answers.of({"worker_id": worker_id})


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {"worker_id": row["worker_id"], "added_by": row["added_by"], "added_at": wire(row["added_at"])}
