"""Functions: what jobs and executions run (spec: scheduler 5.2)."""

import uuid
from collections.abc import Mapping
from typing import Any

import orjson

from chassis.database import Transaction
from chassis.identity import Principal
from chassis.queries import Queries
from scheduler_service import codes, fields, runtimes, webhooks
from scheduler_service.refusals import forbid, not_found, refuse

sql = Queries.beside(__file__, "functions.sql")

Function = dict[str, Any]

STILL = "The function is still associated with"
LIMITS = {
    "cpu": ("cpu", 100, 300, "millicpu", 100),
    "memory_size": ("memory", 33_554_432, 134_217_728, "bytes", 33_554_432),
    "timeout": ("timeout", 1, 300, "seconds", 5),
}
TEXTS = {"name": 255, "description": 255, "entry": 80}
ALWAYS = frozenset({"name", "description", "timeout"})


def create(
    tx: Transaction, owner: Principal, given: Mapping[str, Any], content: bytes | None, *, runs_code: bool = True
) -> Function:
    """Add a function to the owner's project; ``content`` is the package, if one was sent.

    Raises 403 for one that is code where that is not run.
    """
    if given.get("code") is None:
        raise refuse("Required param is missing. Required: {'code'}")
    code = codes.read(given["code"])
    source = code["source"]
    if source in codes.RUN and not runs_code:
        raise forbid(codes.OFF)
    values = {name: limits[-1] for name, limits in LIMITS.items()} | dict.fromkeys(TEXTS) | _details(given)
    runtime_id = _runtime(tx, owner, given.get("runtime_id")) if source == "package" else None
    code = _finished(code, content)
    values |= {"entry": (values["entry"] or "main.main") if source == "package" else None, "runtime_id": runtime_id}
    values |= {"id": str(uuid.uuid4()), "project_id": owner.tenant, "source": source, "code": _text(code)}
    row = tx.one(sql.insert_function, values)
    assert row is not None
    if source == "package":
        tx.execute(sql.store_package, {"id": row["id"], "md5sum": code["md5sum"], "content": content})
    return row


def find(tx: Transaction, function_id: str, project: str | None) -> Function:
    """Return a function that its caller may see; raise 404, also for a malformed id."""
    try:
        row = tx.one(sql.function_by_id, {"id": fields.uuid_text(function_id), "project": project})
    except ValueError:
        row = None
    if row is None:
        raise not_found("Function", id=function_id)
    return row


def locked(tx: Transaction, function_id: str, project: str | None) -> Function:
    """Return a function as it is until the transaction ends."""
    found = tx.one(sql.lock_function, {"id": find(tx, function_id, project)["id"]})
    if found is None:
        raise not_found("Function", id=function_id)
    return found


def update(tx: Transaction, function: Function, given: Mapping[str, Any], content: bytes | None) -> Function:
    """Change a locked function; while jobs count on it, only what does not change what they run."""
    changes = _details(given)
    new_code = None if given.get("code") is None else codes.read(given["code"])
    if (new_code or content is not None or set(changes) - ALWAYS) and tx.value(
        sql.has_active_jobs, {"id": function["id"], "version": None}
    ):
        raise forbid(f"{STILL} running job(s).")
    code = _changed_code(function, new_code, content)
    row = tx.one(sql.update_function, {**function, **changes, "code": _text(code)})
    assert row is not None
    if function["source"] == "package" and content is not None:
        tx.execute(sql.store_package, {"id": row["id"], "md5sum": code["md5sum"], "content": content})
    return row


def delete(tx: Transaction, function: Function, caller: Principal) -> None:
    """Remove a locked function with its versions and packages; raise 403 while something needs it."""
    if function["project_id"] != caller.tenant:
        raise forbid("Function can only be deleted by its owner.")
    key = {"id": function["id"], "version": None}
    if tx.value(sql.has_active_jobs, key):
        raise forbid(f"{STILL} running job(s).")
    if tx.value(webhooks.sql.uses_function, key):
        raise forbid(f"{STILL} webhook(s).")
    if tx.value(sql.has_aliases, key):
        raise forbid(f"{STILL} function alias(es).")
    tx.execute(sql.delete_function, key)


def _details(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given fields that every source has, converted; raise 400. Others are not looked at."""
    values: dict[str, Any] = {}
    for name, limit in TEXTS.items():
        if given.get(name) is not None:
            values |= fields.read("function", {name: given[name]}, {name: fields.text(limit)})
    for name, limits in LIMITS.items():
        if given.get(name) is not None:
            values[name] = _limited(given[name], *limits[:-1])
    return values


def _limited(given: Any, resource: str, lowest: int, highest: int, unit: str) -> int:
    try:
        number: int = fields.integer()(given)
    except ValueError:
        raise refuse(f"Invalid {resource} resource specified. An integer is required.") from None
    if not lowest <= number <= highest:
        allowed = f"{lowest} ~ {highest}({unit})"
        raise refuse(f"{resource} resource limitation not within the allowable range: {allowed}.")
    return number


def _runtime(tx: Transaction, owner: Principal, given: Any) -> str:
    if not given:
        raise refuse('"runtime_id" must be specified.')
    try:
        runtime_id = fields.uuid_text(given)
    except ValueError:
        raise not_found("Runtime", id=given) from None
    if runtimes.kept(tx, owner, runtime_id)["status"] != "available":
        raise refuse(f"Runtime {runtime_id} is not available.")
    return runtime_id


def _finished(code: codes.Code, content: bytes | None) -> codes.Code:
    if code["source"] == "package":
        return codes.package(code, content)
    return codes.image(code) if code["source"] == "image" else code


def _changed_code(function: Function, new: codes.Code | None, content: bytes | None) -> codes.Code:
    old: codes.Code = orjson.loads(function["code"])
    if new is not None and new["source"] != old["source"]:
        raise refuse("The function code type can not be changed.")
    if old["source"] == "package" and (new is not None or content is not None):
        changed = codes.package(new or {}, content)
        if changed["md5sum"] == old["md5sum"]:
            raise refuse("The function code checksum is not changed.")
        return changed
    if old["source"] == "image" and new is not None:
        raise refuse("The image type function code can not be changed.")
    return new or old


def _text(code: codes.Code) -> str:
    return orjson.dumps(code).decode()
