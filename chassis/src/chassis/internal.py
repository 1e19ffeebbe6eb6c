"""Calls between services of the house, signed with short-lived service tokens."""

import time
from typing import Any

import jwt
import requests
import structlog
from flask import g, has_request_context
from flask import request as current
from requests.adapters import HTTPAdapter

from chassis.errors import ApiError, Unavailable
from chassis.tracing import traceparent

log = structlog.get_logger()

ALGORITHM = "HS256"
TOKEN_SECONDS = 60
CONNECT_SECONDS = 1.0
READ_SECONDS = 5.0


def service_token(key: str, issuer: str, audience: str) -> str:
    """Return a token that proves to the service ``audience`` that the service ``issuer`` calls, for a minute."""
    now = int(time.time())
    return jwt.encode({"iss": issuer, "aud": audience, "iat": now, "exp": now + TOKEN_SECONDS}, key, ALGORITHM)


def require_service(key: str, audience: str) -> str:
    """Return the name of the service that makes the current request; anyone else gets 401."""
    token = current.headers.get("Authorization", "").removeprefix("Bearer ")
    try:
        claims = jwt.decode(
            token, key, algorithms=[ALGORITHM], audience=audience, options={"require": ["iss", "exp", "aud"]}
        )
    except jwt.InvalidTokenError:
        raise ApiError(401, "Unauthorized") from None
    return str(claims["iss"])


class InternalClient:
    """Speaks JSON to ``/internal/*`` of one other service.

    Raises :class:`chassis.errors.Unavailable` when it cannot be reached, is too slow or answers 5xx.
    """

    def __init__(self, base_url: str, *, service: str, caller: str, key: str, connections: int = 32) -> None:
        self._base_url = base_url.rstrip("/")
        self._service = service
        self._caller = caller
        self._key = key
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=connections, max_retries=1))

    def get(self, path: str) -> tuple[int, Any]:
        """Return status and JSON of a GET."""
        return self._call("GET", path, None)

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Return status and JSON of a POST."""
        return self._call("POST", path, body)

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, Any]:
        try:
            response = self._session.request(
                method,
                self._base_url + path,
                json=body,
                headers=self._headers(),
                timeout=(CONNECT_SECONDS, READ_SECONDS),
            )
            if response.status_code >= 500:
                raise Unavailable(f"{self._service}-service")
            return response.status_code, response.json() if response.content else None
        except (requests.RequestException, ValueError) as error:
            log.warning("internal_call_failed", service=self._service, path=path, error=type(error).__name__)
            raise Unavailable(f"{self._service}-service") from None

    def _headers(self) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {service_token(self._key, self._caller, self._service)}"}
        if has_request_context():
            headers["X-Request-ID"] = getattr(g, "request_id", "")
        if trace := traceparent():
            headers["traceparent"] = trace
        return headers
