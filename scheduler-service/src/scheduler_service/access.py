"""Who makes a request, and whose things they see (spec: scheduler 1.6)."""

from typing import cast

from flask import g, request

from chassis.errors import ApiError
from chassis.identity import CredentialRefused, Principal
from scheduler_service.container import container
from scheduler_service.refusals import forbid

CHALLENGE = {"WWW-Authenticate": "Bearer"}


def require() -> None:
    """Note who makes the current request; end it with 401 without a credential, with 403 without a project."""
    try:
        principal = container().identity.principal(request)
    except CredentialRefused as refusal:
        raise ApiError(401, f"Failed to validate access token: {refusal}", headers=CHALLENGE) from None
    if principal is None:
        raise ApiError(401, "Failed to validate access token: Authentication required", headers=CHALLENGE)
    if not principal.tenant:
        raise forbid("This credential belongs to no project")
    g.caller = principal


def caller() -> Principal:
    """Return who makes the current request."""
    return cast(Principal, g.caller)


def caller_name() -> str:
    """Return the caller in a form that tells one from another."""
    return f"{caller().kind}:{caller().id}"


def visible_project() -> str | None:
    """Return the project that the caller is limited to, ``None`` for an admin."""
    return None if caller().admin else caller().tenant
