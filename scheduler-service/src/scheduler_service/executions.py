"""Executions: created, ended once, never left running for ever (spec: scheduler 5.1)."""

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from chassis.database import Transaction
from chassis.identity import Principal
from chassis.queries import Queries
from scheduler_service import events, fields, inputs, targets
from scheduler_service.endings import ENDED

sql = Queries.beside(__file__, "executions.sql")

READY = "scheduler_ready"
"""The channel on which workers hear that executions wait for them."""

LOST = "Function execution failed."
NOTHING = object()
"""The output of what has none."""


READ_ONLY = frozenset({"status", "result", "project_id", "created_at", "updated_at"})
FIELDS: Mapping[str, fields.Reader] = {
    "id": fields.uuid_text,
    "function_id": fields.uuid_text,
    "function_alias": fields.text(255),
    "function_version": fields.integer(0),
    "description": fields.text(255),
    "sync": fields.boolean,
    "input": inputs.read,
}

Execution = dict[str, Any]


def read(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a request, converted; raise 400."""
    values = fields.read("body", body, FIELDS, READ_ONLY)
    targets.check_named(values)
    return values


def create(tx: Transaction, owner: Principal, values: Mapping[str, Any], patience: float) -> Execution:
    """Begin an execution in the owner's project, to be taken within ``patience`` seconds."""
    function = targets.resolve(tx, owner.tenant, values, to_run=True)
    targets.check_runtime(function)
    return _begin(
        tx,
        function,
        {
            "project_id": owner.tenant,
            "owner_kind": str(owner.kind),
            "owner_id": owner.id,
            "function_alias": values.get("function_alias") or None,
            "description": values.get("description"),
            "sync": values.get("sync", True),
            "input": inputs.stored(values.get("input")),
            "job_id": None,
            "patience": patience,
        },
    )


def of_job(tx: Transaction, job: Mapping[str, Any], patience: float) -> Execution:
    """Begin an execution of a job besides its occurrences."""
    function = targets.resolve(tx, job["project_id"], job)
    targets.check_runtime(function)
    same = {name: job[name] for name in ("project_id", "owner_kind", "owner_id")}
    more = {"job_id": job["id"], "description": description_of(job["id"]), "sync": False, "function_alias": None}
    return _begin(tx, function, same | more | {"input": inputs.stored(job["function_input"]), "patience": patience})


def of_webhook(tx: Transaction, webhook: Mapping[str, Any], text: str, patience: float) -> Execution:
    """Begin an execution with the input ``text``, in the name of the webhook's owner (spec: scheduler 5.5)."""
    function = targets.resolve(tx, webhook["project_id"], webhook)
    targets.check_runtime(function)
    same = {name: webhook[name] for name in ("project_id", "owner_kind", "owner_id")}
    more = {"job_id": None, "description": f"Created by Webhook {webhook['id']}", "sync": False, "function_alias": None}
    return _begin(tx, function, same | more | {"input": inputs.stored(text), "patience": patience})


def description_of(job_id: object) -> str:
    """Return the one link from an execution to its job that the API shows (spec: scheduler 4.4, rule 4)."""
    return f"Created by Job {job_id}"


def result(output: object, duration: float | None = None) -> str:
    """Return the text of a result; ``duration`` in seconds, ``NOTHING`` for no output.

    By the standard library: what functions return may hold integers of any size, and halves of surrogate pairs.
    """
    body: dict[str, object] = {} if duration is None else {"duration": round(duration, 3)}
    return json.dumps(body if output is NOTHING else {**body, "output": output})


def finish(
    tx: Transaction, execution_id: object, status: str, text: str, logs: str | None = None, token: object = None
) -> bool:
    """End an execution, and tell so; one that has failed may wait for a retry instead, as its job says.

    ``False`` when it had ended before or is gone, or is held by another ``token``.
    """
    values = {"id": execution_id, "status": status, "result": text, "logs": logs, "token": token}
    row = tx.one(sql.finish_execution, values)
    if row is not None and row["status"] != "running":
        told_ends(tx, [row])
    return row is not None


def end_retries(tx: Transaction, job_id: object) -> None:
    """End what waits for a retry: its job is deleted, cancelled or paused."""
    told_ends(tx, tx.all(sql.end_retries, {"job_id": job_id}))


def told_ends(tx: Transaction, rows: Sequence[Execution]) -> None:
    """Tell the house, and those who wait, that executions have ended."""
    if rows:
        events.executions_finished(tx, rows)
        tx.execute(sql.ring_waiting, {"channel": ENDED, "ids": [str(row["id"]) for row in rows]})


def _begin(tx: Transaction, function: Mapping[str, Any], values: Mapping[str, Any]) -> Execution:
    version = function["version"]
    target = {"function_id": function["id"], "function_version": version, "source": function["source"]}
    row = tx.one(sql.insert_execution, {"id": str(uuid.uuid4()), **target, **values})
    assert row is not None
    tx.execute(sql.count_version if version else sql.count_function, {"id": function["id"], "version": version})
    events.executions_started(tx, [row])
    tx.execute(sql.ring_runners, {"channel": READY})
    return row
