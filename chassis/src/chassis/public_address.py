"""Under which address clients see a service: that of the gate, when the request came through it."""

from flask import Request

from chassis.settings import Settings


def public_base(request: Request, settings: Settings) -> str:
    """Return scheme, host and prefix, without a slash at the end; besides the request only a gate's word counts."""
    scheme, host, prefix = request.scheme, request.host, ""
    if settings.trusts(request.remote_addr or ""):
        scheme = request.headers.get("X-Forwarded-Proto", scheme)
        host = request.headers.get("X-Forwarded-Host", host)
        prefix = request.headers.get("X-Forwarded-Prefix", prefix).rstrip("/")
    return f"{scheme}://{host}{prefix}"
