"""Who makes the current request, and what they may do."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Response, request

from chassis import idempotency
from chassis.envelope import UNAUTHORIZED
from chassis.errors import ApiError
from chassis.identity import CredentialRefused, Principal
from tracker_service.container import container
from tracker_service.roles import Role, role_on

View = TypeVar("View", bound=Callable[..., Any])


def callers(*who: str) -> Callable[[View], View]:
    """State who may call a view, in the words of ``x-taskyard-callers``; a test holds it against the contract.

    The checks themselves stand in the view, because their order is part of the API (spec: tracker 4).
    """

    def mark(view: View) -> View:
        view.callers = who  # type: ignore[attr-defined]
        return view

    return mark


def worker(status: int, message: str | None = None) -> Principal:
    """Return the worker that makes the request, or end it with ``status`` and the documented text.

    The status differs by endpoint (spec: tracker 2.1).
    """
    try:
        return container().identity.worker(request)
    except CredentialRefused as refusal:
        raise ApiError(status, message or str(refusal)) from None


def worker_or_none() -> Principal | None:
    """Return the worker that makes the request, or ``None`` when its credential is missing or not valid."""
    try:
        return container().identity.worker(request)
    except CredentialRefused:
        return None


def account() -> Principal | None:
    """Return the account that makes the request as auth-service knows it now, or ``None``."""
    principal = container().identity.account(request)
    if principal is not None:
        container().read_model.remember(principal)
    return principal


def require_role(project_id: int, role: Role) -> Principal:
    """Return the caller's account, which has ``role`` on the project; anyone else gets 403."""
    caller = account()
    if caller is None or role not in role_on(container().database, caller, project_id):
        raise ApiError(403, UNAUTHORIZED)
    return caller


def once(identify: Callable[[], Principal | None], run: Callable[[], Response]) -> Response:
    """Run a creating view at most once for each ``Idempotency-Key`` of its caller (DESIGN 11).

    Without the header nobody is identified beforehand, and a caller that is not known is refused by the view: the
    order of its checks is part of the API.
    """
    caller = identify() if idempotency.HEADER in request.headers else None
    return run() if caller is None else idempotency.once(f"{caller.kind}:{caller.id}", run)
