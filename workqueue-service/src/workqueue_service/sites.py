"""Sites: storages that users register, with the endpoints at which workers reach them (spec: workqueue 7.2)."""

from collections.abc import Mapping
from typing import Any

from psycopg.errors import UniqueViolation
from psycopg.rows import DictRow

from chassis.database import Database, Transaction
from chassis.errors import ApiError
from workqueue_service import endpoints, fields, filepath
from workqueue_service.endpoints import LOGIN_REQUIRED, BadEndpoint, Rules
from workqueue_service.statements import sites as sql

MAX_ENDPOINTS = 100
MAX_PEM = 100_000
MAX_BANDWIDTH = 10**15


def register(db: Database, user_id: int, body: Mapping[str, Any], rules: Rules) -> int:
    """Store a new site and return its id: 400 for wrong data, 409 when the name is taken."""
    site = {"owner_id": user_id, **_described(body), **_reached(body, rules)}
    try:
        return int(db.value(sql.create_site, site))
    except UniqueViolation:
        raise ApiError(409, "A site of this name exists") from None


def visible(db: Database, user_id: int) -> list[DictRow]:
    """Return public sites and the user's own."""
    return db.all(sql.visible_sites, {"user_id": user_id})


def find(db: Database | Transaction, user_id: int, site_id: int) -> DictRow | None:
    """Return a site if the user may see it."""
    return db.one(sql.visible_site, {"user_id": user_id, "id": site_id})


def find_for_worker(db: Database, site_id: int) -> DictRow | None:
    """Return a site, whoever may see it."""
    return db.one(sql.any_site, {"id": site_id})


def _described(body: Mapping[str, Any]) -> dict[str, Any]:
    fields.require(body, ["site_name"])
    return {
        "name": fields.text(body, "site_name", 100, shortest=1),
        "description": fields.text(body, "site_desc", 2000, ""),
        "def_path": fields.text(body, "def_path", filepath.MAX_BYTES, "/~"),
        "public": fields.flag(body, "public", False),
        "auth_type": fields.whole(body, "auth_type", 0, 1, 0),
        "auth_uri": _auth_uri(body),
        "user_ca_cert": fields.optional_text(body, "user_ca_cert", MAX_PEM),
        "service_ca_cert": fields.optional_text(body, "service_ca_cert", MAX_PEM),
    }


def _auth_uri(body: Mapping[str, Any]) -> str:
    uri = fields.text(body, "auth_uri", 300, "")
    if uri and not endpoints.HOST_PORT.fullmatch(uri):
        raise fields.refuse("auth_uri must be host:port")
    return uri


def _reached(body: Mapping[str, Any], rules: Rules) -> dict[str, Any]:
    given = body.get("endpoints")
    if not isinstance(given, list) or not 0 < len(given) <= MAX_ENDPOINTS or not all(isinstance(e, str) for e in given):
        raise fields.refuse(f"endpoints must be a list of 1 to {MAX_ENDPOINTS} texts")
    try:
        transport = endpoints.transport_of_all(given, rules)
    except BadEndpoint as error:
        raise fields.refuse(str(error)) from None
    return {
        "transport": transport,
        "endpoints": given,
        "home": _home(body, transport),
        "login_required": fields.flag(body, "login_required", transport in LOGIN_REQUIRED),
        "max_transfers": fields.optional_whole(body, "max_transfers", 1, 10_000),
        "bandwidth": fields.optional_whole(body, "bandwidth", 1, MAX_BANDWIDTH),
    }


def _home(body: Mapping[str, Any], transport: str) -> str | None:
    """Return what ``~`` means: a path below the root, or ``None`` for the log-in directory of the server."""
    home = fields.optional_text(body, "home", filepath.MAX_BYTES)
    if home is None:
        return None if transport in ("gsiftp", "sftp", "ftp") and not _has_root(body["endpoints"]) else "/"
    try:
        normal = filepath.normalise(home)
    except filepath.BadPath as error:
        raise fields.refuse(str(error)) from None
    if not normal.startswith("/"):
        raise fields.refuse("home must be a path below the site's root, such as /home/{user}")
    return normal


def _has_root(given: list[str]) -> bool:
    return any("://" in endpoint and endpoint.split("://")[1].partition("/")[2].strip("/") for endpoint in given)
