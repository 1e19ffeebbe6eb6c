"""What a job or an execution names to be run: a function, a version of it, or an alias (spec: scheduler 2.2, 5.1)."""

from collections.abc import Mapping
from typing import Any

from chassis.database import Transaction
from chassis.errors import ApiError
from chassis.queries import Queries
from scheduler_service.refusals import not_found, refuse

sql = Queries.beside(__file__, "targets.sql")


def check_named(values: Mapping[str, Any]) -> None:
    """Raise 400 unless a function or an alias is named."""
    if not values.get("function_alias") and not values.get("function_id"):
        raise refuse("Either function_alias or function_id must be provided.")


def resolve(tx: Transaction, project: str, values: Mapping[str, Any], *, to_run: bool = False) -> dict[str, Any]:
    """Return the function that is meant, with ``version``, kept from deletion until the transaction ends.

    Raises 404 when alias, function or version do not exist in ``project``; an alias wins over an id. ``to_run``: raises
    400 for a version of a function that can have none.
    """
    if alias := values.get("function_alias"):
        row = tx.one(sql.alias_for_share, {"project": project, "name": alias})
        if row is None:
            raise not_found("FunctionAlias", name=alias)
        return resolve(tx, project, {"function_id": row["function_id"], "function_version": row["function_version"]})
    function_id, version = values["function_id"], values.get("function_version", 0)
    function = tx.one(sql.function_for_share, {"project": project, "id": function_id})
    if function is None:
        raise not_found("Function", id=function_id)
    if to_run and version and function["source"] != "package":
        raise refuse(f"Can not specify version for {function['source']} type function.")
    if version and not tx.value(sql.has_version, {"id": function_id, "version": version}):
        raise not_found("FunctionVersion", function_id=function_id, version_number=version)
    return {**function, "version": version}


def check_runtime(function: Mapping[str, Any]) -> None:
    """Raise 409 when the function's runtime is not there to run it."""
    if function["runtime_id"] and function["runtime_status"] != "available":
        raise ApiError(409, f"Runtime {function['runtime_id']} is not available.")
