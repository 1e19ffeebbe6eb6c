"""What several routes ask about a request."""

from flask import request

from auth_service.container import parts
from chassis.envelope import UNAUTHORIZED, BadNumber, path_number
from chassis.errors import ApiError
from chassis.identity import Principal

OWN_SITES = frozenset({"same-origin", "none"})


def caller() -> Principal | None:
    """Return the account that makes the request, as it is now (spec: tracker Q-09), or ``None``."""
    return parts().identity.account(request)


def tracker_admin() -> Principal | None:
    """Return the account that makes the request when it is tracker admin."""
    account = caller()
    return account if account and account.admin else None


def positive(text: str, message: str) -> int:
    """Return a positive number of the path; anything else ends the request with 400 and ``message``."""
    try:
        number = path_number(text)
    except BadNumber:
        number = 0
    if number <= 0:
        raise ApiError(400, message)
    return number


def refuse_foreign_pages() -> None:
    """End a request that a browser makes for a page of another site (spec: tracker Q-10)."""
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site")
    if (site and site not in OWN_SITES) or (origin and origin.partition("://")[2] != request.host):
        raise ApiError(403, UNAUTHORIZED)


def is_secure() -> bool:
    """Return whether the client speaks TLS to the gate, or to this process."""
    forwarded = request.headers.get("X-Forwarded-Proto", "")
    if forwarded and parts().settings.trusts(request.remote_addr or ""):
        return forwarded == "https"
    return request.is_secure
