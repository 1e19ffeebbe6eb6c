"""Options of jobs: what a client may send in ``extra_opts``, and what of it is carried out (spec: workqueue 6.6)."""

from collections.abc import Callable, Mapping
from typing import Any

from workqueue_service import fields
from workqueue_service.enums import JobType

MAX_KEYS = 100
CREDENTIAL_FILES = frozenset({"s_cred_file", "t_cred_file"})


def _flag(options: Mapping[str, Any], name: str) -> bool:
    return fields.flag(options, name, False)


def _number(low: int, high: int) -> Callable[[Mapping[str, Any], str], int]:
    return lambda options, name: fields.whole(options, name, low, high)


_TIMEOUT = {"timeout": _number(1, 7 * 86_400)}
CARRIED_OUT: dict[JobType, dict[str, Callable[[Mapping[str, Any], str], Any]]] = {
    JobType.LIST: {"depth": _number(-1, 1_000_000), **_TIMEOUT},
    JobType.COPY: {
        "overwrite": _flag,
        "parent": _flag,
        "checksum": _flag,
        "bandwidth": _number(1, 10**15),
        **_TIMEOUT,
    },
    JobType.REMOVE: _TIMEOUT,
    JobType.RENAME: _TIMEOUT,
    JobType.MKDIR: {"permissions": _number(0, 0o7777), "parent": _flag, **_TIMEOUT},
}


def accepted(value: Any, job_type: JobType) -> dict[str, Any] | None:
    """Return ``extra_opts`` as they are stored and echoed, without the names of files on the worker's host (Q9).

    400 unless they are an object or ``null`` and every option that would be carried out has a value of its kind.
    """
    if value is None:
        return None
    if not isinstance(value, dict) or len(value) > MAX_KEYS:
        raise fields.refuse(f"extra_opts must be an object of at most {MAX_KEYS} keys, or null")
    kept = {name: option for name, option in value.items() if name not in CREDENTIAL_FILES}
    if _has_nul(kept):
        raise fields.refuse("extra_opts must not contain NUL")
    carried_out(kept, job_type)
    return kept


def carried_out(options: Mapping[str, Any] | None, job_type: JobType) -> dict[str, Any]:
    """Return the options that a worker carries out for a job, checked."""
    given = options or {}
    known = CARRIED_OUT[job_type]
    return {name: read(given, name) for name, read in known.items() if given.get(name) is not None}


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any("\0" in key or _has_nul(part) for key, part in value.items())
    return isinstance(value, list) and any(map(_has_nul, value))
