"""Who may use the poller: machines in trusted networks, and whoever has a credential (spec: poller 5)."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Request, g, request

from chassis.errors import ApiError
from chassis.identity import CredentialRefused, client_address
from poller_service.container import container

CHALLENGE = {"WWW-Authenticate": 'Bearer, Basic realm="Taskyard", charset="UTF-8"'}


def require() -> None:
    """Note who makes the current request; end it with 401 unless their address or their credential entitles them."""
    address = client_address(request)
    g.caller = address if _is_trusted(address) and not _comes_from_foreign_page(request) else _principal()


def caller() -> str:
    """Return who makes the current request, in a form that tells one from another."""
    return str(g.caller)


def _principal() -> str:
    try:
        principal = container().identity.principal(request)
    except CredentialRefused as refusal:
        raise ApiError(401, str(refusal), headers=CHALLENGE) from None
    if principal is None:
        raise ApiError(401, "a Taskyard credential is needed from this address", headers=CHALLENGE)
    return f"{principal.kind}:{principal.id}"


def _is_trusted(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in network for network in container().settings.poller_trusted_networks)


def _comes_from_foreign_page(request: Request) -> bool:
    """Whether a browser sends this for a page of another site, which must not use the trust in its machine."""
    origin = request.headers.get("Origin")
    return origin is not None and urlsplit(origin).netloc != request.host
