"""The credentials that a request can carry (DESIGN 4), told apart by where they stand."""

import base64
import binascii
from dataclasses import dataclass

from flask import Request
from werkzeug.datastructures import Headers

from chassis.envelope import BadNumber, path_number

API_KEY_PREFIX = "tyk_"
SECRET_BYTES = 32


class CredentialRefused(Exception):
    """The credential is missing, malformed or not valid; the message is the documented text (spec: tracker 2.1)."""


@dataclass(frozen=True, slots=True)
class WorkerSecret:
    """``X-Worker-ID`` and ``X-Secret``."""

    worker_id: int
    secret: str


@dataclass(frozen=True, slots=True)
class Session:
    """The value of the session cookie."""

    value: str


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A ``tyk_`` key."""

    value: str


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A signed token of auth-service."""

    value: str


@dataclass(frozen=True, slots=True)
class Basic:
    """A name and a password, or whatever stands in their place, of HTTP Basic."""

    username: str
    password: str


Opaque = WorkerSecret | Session | ApiKey | Basic
Credential = Opaque | AccessToken


def from_request(request: Request, session_cookie: str) -> Credential | None:
    """Return the strongest statement of identity that the request makes, or ``None``.

    Explicit headers come before the cookie, which a browser adds on its own.
    """
    headers = request.headers
    if token := headers.get("X-Auth-Token") or headers.get("X-Token"):
        return _token(token)
    scheme, _, value = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return _token(value.strip())
    if scheme.lower() == "basic":
        return _basic(value.strip())
    if cookie := request.cookies.get(session_cookie):
        return Session(cookie)
    return None


def worker_secret(headers: Headers) -> WorkerSecret:
    """Return what the two worker headers say; raises with the documented texts (spec: tracker 2.1)."""
    worker_id = headers.get("X-Worker-ID")
    if not worker_id:
        raise CredentialRefused("worker id not specified")
    secret = headers.get("X-Secret")
    if not secret:
        raise CredentialRefused("secret is not specified")
    try:
        return WorkerSecret(path_number(worker_id), secret)
    except BadNumber as error:
        raise CredentialRefused(str(error)) from None


def decode_secret(text: str) -> bytes:
    """Return the 32 bytes of a worker secret; raises when it is not exactly their base64 form (spec: tracker Q-07)."""
    try:
        secret = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if len(secret) != SECRET_BYTES:
        raise CredentialRefused("invalid secret")
    return secret


def _token(value: str) -> Credential:
    return ApiKey(value) if value.startswith(API_KEY_PREFIX) else AccessToken(value)


def _basic(value: str) -> Credential | None:
    try:
        username, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise CredentialRefused("invalid credentials") from None
    if not colon:
        raise CredentialRefused("invalid credentials")
    return ApiKey(password) if password.startswith(API_KEY_PREFIX) else Basic(username, password)
