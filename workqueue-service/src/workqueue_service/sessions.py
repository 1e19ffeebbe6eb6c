"""Log-ins of users at sites: encrypted at rest, never shown, given only to workers with a hand-out."""

from collections.abc import Iterable, Mapping
from typing import Any

from psycopg.rows import DictRow

from chassis.database import Database, Transaction
from workqueue_service import fields
from workqueue_service.sites import MAX_PEM
from workqueue_service.statements import sites as sql
from workqueue_service.vault import Vault

HOUR = 3600
MAX_HOURS = 10 * 366 * 24
DEFAULT_HOURS = 36
SECRETS = {"password": 10_000, "private_key": MAX_PEM, "passphrase": 1000, "token": 100_000, "session_token": 10_000}
# Wrong here for the same reasons as in an endpoint's definition, except that credentials are right here.
FORBIDDEN_OPTIONS = ("file", "path", "command", "ssh", "env_auth", "socket", "metadata", "proxy", "config")


def log_in(db: Database, vault: Vault, site: Mapping[str, Any], user_id: int, body: Mapping[str, Any]) -> None:
    """Store what takes the user into the site, for ``lifetime`` hours."""
    username = fields.text(body, "username", 1000, "")
    hours = fields.whole(body, "lifetime", 1, MAX_HOURS, DEFAULT_HOURS)
    credentials = {"username": username, **_secrets(body, site["transport"])}
    db.execute(
        sql.store_session,
        {
            "site_id": site["id"],
            "user_id": user_id,
            "username": username,
            "sealed": vault.seal({name: value for name, value in credentials.items() if value}),
            "seconds": hours * HOUR,
        },
    )


def find(db: Database | Transaction, site_id: int, user_id: int) -> DictRow | None:
    """Return user name and end of a log-in, and whether it is ``valid``."""
    return db.one(sql.session_of, {"site_id": site_id, "user_id": user_id})


def log_out(db: Database, site_id: int, user_id: int) -> None:
    """Forget a log-in."""
    db.execute(sql.drop_session, {"site_id": site_id, "user_id": user_id})


def credentials(
    tx: Transaction, vault: Vault, site_ids: Iterable[int], user_ids: Iterable[int]
) -> dict[tuple[int, int], dict[str, Any]]:
    """Return the valid credentials by site and user."""
    rows = tx.all(sql.valid_sessions, {"site_ids": list(site_ids), "user_ids": list(user_ids)})
    opened = {(row["site_id"], row["user_id"]): vault.open(bytes(row["sealed"])) for row in rows}
    return {key: secret for key, secret in opened.items() if secret is not None}


def _secrets(body: Mapping[str, Any], transport: str) -> dict[str, Any]:
    secrets: dict[str, Any] = {name: fields.text(body, name, longest, "") for name, longest in SECRETS.items()}
    proxy = fields.text(body, "proxy", MAX_PEM, "")
    if transport == "gsiftp" and not (proxy and proxy.isascii()):
        raise fields.refuse("this site takes a proxy certificate (PEM) as proxy")
    return {**secrets, "proxy": proxy, "options": _options(body, transport)}


def _options(body: Mapping[str, Any], transport: str) -> dict[str, str]:
    options = body.get("options")
    if options is None:
        return {}
    if transport != "rclone" or not isinstance(options, dict) or len(options) > 50:
        raise fields.refuse("options must be an object, of an rclone site")
    for name, value in options.items():
        if not name.isidentifier() or not name.islower() or any(word in name for word in FORBIDDEN_OPTIONS):
            raise fields.refuse("one of the options is not allowed")
        if not isinstance(value, str) or len(value) > MAX_PEM:
            raise fields.refuse("options must be texts")
    return options
