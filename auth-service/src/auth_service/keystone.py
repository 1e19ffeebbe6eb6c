"""The forms of Keystone's password login, for clients that know no other (DESIGN 10; Identity API v3).

An account is a user of the one domain, and its tenant is the one project that it has.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from auth_service.accounts import Account

DOMAIN = {"id": "default", "name": "Default"}
REGION = "RegionOne"
UPDATED = "2026-11-27T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Login:
    """What a request asks for: a user by name or by id, and a scope."""

    user: Mapping[str, Any]
    scope: Any

    @property
    def password(self) -> str:
        """The password that proves it."""
        return str(self.user["password"])

    def in_domain(self) -> bool:
        """Return whether user and project are looked for where they can be."""
        project = self.scope.get("project", {}) if isinstance(self.scope, Mapping) else {}
        return all(_is(DOMAIN, place["domain"]) for place in (self.user, project) if place.get("domain"))

    def fits(self, account: Account) -> bool:
        """Return whether the account has what the scope names; without a scope it is the own project."""
        if self.scope in (None, "unscoped"):
            return True
        return set(self.scope) == {"project"} and _is(_project(account), _without_domain(self.scope["project"]))


def read(body: Mapping[str, Any]) -> Login | None:
    """Return what the body of a valid request asks for; ``None`` when it proves it by anything but a password."""
    auth = body["auth"]
    if auth["identity"]["methods"] != ["password"] or "password" not in auth["identity"]:
        return None
    return Login(auth["identity"]["password"]["user"], auth.get("scope"))


def token(account: Account, issued: int, seconds: int, base: str, *, scoped: bool) -> dict[str, Any]:
    """Return what is told of a token of ``account``; ``issued`` in Unix seconds, ``base`` is the gate's address."""
    facts: dict[str, Any] = {
        "methods": ["password"],
        "user": {"id": str(account.id), "name": account.username, "domain": DOMAIN, "password_expires_at": None},
        "audit_ids": [secrets.token_urlsafe(16)],
        "issued_at": _time(issued),
        "expires_at": _time(issued + seconds),
    }
    if scoped:
        roles = ["member", "admin"] if account.tracker_admin else ["member"]
        facts |= {
            "is_domain": False,
            "project": {**_project(account), "domain": DOMAIN},
            "roles": [{"id": role, "name": role} for role in roles],
            "catalog": _catalog(base),
        }
    return {"token": facts}


def version(base: str) -> dict[str, Any]:
    """Return the version document, by which clients find the rest."""
    media = [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}]
    links = [{"rel": "self", "href": f"{base}/v3/"}]
    return {
        "version": {"id": "v3.14", "status": "stable", "updated": UPDATED, "links": links, "media-types": media},
    }


def _project(account: Account) -> dict[str, str]:
    return {"id": account.tenant, "name": account.username}


def _catalog(base: str) -> list[dict[str, Any]]:
    endpoints = {"function-engine": base, "identity": f"{base}/v3"}
    return [
        {
            "id": type_,
            "type": type_,
            "name": "taskyard",
            "endpoints": [
                {
                    "id": f"{type_}-{interface}",
                    "interface": interface,
                    "region": REGION,
                    "region_id": REGION,
                    "url": url,
                }
                for interface in ("public", "internal", "admin")
            ],
        }
        for type_, url in endpoints.items()
    ]


def _is(thing: Mapping[str, str], named: Mapping[str, Any]) -> bool:
    """Return whether what is named by id, by name or by both is this one."""
    return bool(named) and all(thing.get(key) == value for key, value in named.items())


def _without_domain(project: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in project.items() if key != "domain"}


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
