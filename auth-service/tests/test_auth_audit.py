"""The audit: what is kept, who may look, filters and pages."""

import itertools
from collections.abc import Callable
from typing import Any

import orjson
import psycopg
import pytest

from auth_service.audit import handlers
from auth_service.settings import AuthSettings
from auth_service.testing import PASSWORD, House, Visitor
from chassis.events import Event
from chassis.events.reference import consumed_by

MakeHouse = Callable[..., House]


def deliver(house: House, *events: Event) -> None:
    """Let the handlers take the events, and before them all that wait in the outbox, as the consumer does."""
    rows = house.database.all("DELETE FROM outbox RETURNING id, envelope")
    waiting = [Event.parse(row["envelope"]) for row in sorted(rows, key=lambda row: row["id"])]
    for event in (*waiting, *events):
        handle = handlers.find(event.type)
        if handle:
            with house.database.transaction() as tx:
                handle(tx, event)


def listed(visitor: Visitor, query: str = "") -> list[dict[str, Any]]:
    answer = visitor.get(f"/auth/audit?{query}")
    assert answer.status_code == 200, answer.data
    return list(answer.get_json()["events"])


def types(visitor: Visitor, query: str = "") -> list[str]:
    """Types of the entries, oldest first."""
    return [entry["type"] for entry in reversed(listed(visitor, query))]


@pytest.fixture
def admin(house: House) -> Visitor:
    return house.account("admin")


@pytest.fixture
def filled(house: House, admin: Visitor) -> Visitor:
    """An admin, account 1, in front of an audit of many things."""
    other, worker = house.account("other"), house.worker()
    house.visitor().post("/login", {"username": "other", "password": "wrong password"})
    house.visitor().post("/login", {"username": "other", "password": PASSWORD})
    key = other.post("/auth/keys", {"name": "script"}).get_json()
    other.delete(f"/auth/keys/{key['id']}")
    worker.post("/auth/keys", {"name": "cron"})
    worker.post("/worker/update", {"alias": "renamed"})
    admin.post("/worker/set_paused", {"worker": 1, "paused": True})
    admin.get("/manager/promote/2")
    admin.get("/manager/demote/2")
    access = {"project_id": 5, "worker_id": 1, "assign": True, "submit": False}
    role = {"project_id": 5, "account_id": 2, "role": 3, "by": 1}
    deliver(
        house,
        Event.new("tracker.access.requested", "project/5", access, service="tracker"),
        Event.new("tracker.access.granted", "project/5", access | {"by": 2}, service="tracker"),
        Event.new("tracker.role.changed", "project/5", role, service="tracker"),
    )
    return admin


EVERYTHING = [
    "auth.account.created",
    "auth.account.created",
    "auth.login.failed",
    "auth.login.succeeded",
    "auth.key.created",
    "auth.key.revoked",
    "auth.key.created",
    "auth.worker.updated",
    "auth.account.updated",
    "auth.account.updated",
    "tracker.access.requested",
    "tracker.access.granted",
    "tracker.role.changed",
]


def test_what_matters_is_listed_newest_first(filled: Visitor) -> None:
    assert types(filled) == EVERYTHING


def test_entries_say_who_where_and_by_whom(filled: Visitor) -> None:
    failed, promoted, paused, revoked, granted = (
        listed(filled, f"type={type_}")[-1]
        for type_ in (
            "auth.login.failed",
            "auth.account.updated",
            "auth.worker.updated",
            "auth.key.revoked",
            "tracker.access.granted",
        )
    )
    assert (failed["account"], failed["username"], failed["address"]) == (2, "other", "127.0.0.1")
    assert (promoted["account"], promoted["by"], promoted["data"]["tracker_admin"]) == (2, 1, True)
    assert (paused["worker"], paused["by"], paused["data"]["paused"]) == (1, 1, True)
    assert (revoked["account"], revoked["data"]["name"], revoked["worker"]) == (2, "script", None)
    assert (granted["worker"], granted["by"], granted["subject"]) == (1, 2, "project/5")
    assert failed["time"].endswith("Z")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("type=auth.key.created", ["auth.key.created"] * 2),
        ("type=auth.login.*", ["auth.login.failed", "auth.login.succeeded"]),
        ("type=tracker.*&worker=1", ["tracker.access.requested", "tracker.access.granted"]),
        ("type=auth.nothing", []),
        (
            "account=1&type=auth.*",
            ["auth.account.created", "auth.worker.updated", "auth.account.updated", "auth.account.updated"],
        ),
        ("account=2&type=tracker.*", ["tracker.access.granted", "tracker.role.changed"]),
        ("username=other&type=auth.login.*", ["auth.login.failed", "auth.login.succeeded"]),
        ("username=nobody", []),
        ("address=127.0.0.1", ["auth.login.failed", "auth.login.succeeded"]),
        ("address=192.0.2.1", []),
        ("since=2001-01-01", EVERYTHING),
        ("until=2001-01-01T00:00:00Z", []),
        ("since=4102444800", []),
        ("until=4102444800", EVERYTHING),
    ],
)
def test_filters(filled: Visitor, query: str, expected: list[str]) -> None:
    assert types(filled, query) == expected


def test_a_moment_divides_the_entries(filled: Visitor) -> None:
    entries = listed(filled)
    moment = entries[5]["time"]
    assert listed(filled, f"since={moment}") == entries[:6]
    assert listed(filled, f"until={moment}") == entries[6:]


def test_pages_hold_every_entry_once_also_when_new_ones_come(house: House, filled: Visitor) -> None:
    everything = listed(filled)
    seen, after = [], ""
    for _ in itertools.count():
        page = filled.get(f"/auth/audit?limit=3{after}").get_json()
        seen += page["events"]
        house.visitor().post("/login", {"username": "other", "password": PASSWORD})
        deliver(house)
        if page["next"] is None:
            break
        assert len(page["events"]) == 3
        after = f"&after={page['next']}"
    assert seen == everything


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", "Invalid limit"),
        ("limit=1001", "Invalid limit"),
        ("since=yesterday", "Invalid since"),
        ("until=9999999999999999999", "Invalid until"),
        ("since=0001-01-01T00:00:00%2B14:00", "Invalid since"),
        ("account=x", "Invalid account"),
        ("worker=9223372036854775808", "Invalid worker"),
        ("username=", "Invalid username"),
        ("address=%00", "Invalid address"),
        ("adress=127.0.0.1", "Unknown filter adress"),
    ],
)
def test_a_wrong_filter_is_refused(admin: Visitor, query: str, message: str) -> None:
    answer = admin.get(f"/auth/audit?{query}")
    assert answer.status_code == 400
    assert answer.get_json()["message"].startswith(message)


def test_only_tracker_admins_may_look(house: House, admin: Visitor) -> None:
    assert house.visitor().get("/auth/audit").status_code == 401
    assert house.worker().get("/auth/audit").status_code == 401
    assert house.account("other").get("/auth/audit").status_code == 403
    admin.get("/manager/promote/2")
    key = admin.post("/auth/keys", {"name": "auditor"}).get_json()["key"]
    assert house.visitor(Authorization=f"Bearer {key}").get("/auth/audit").status_code == 200


def test_a_demoted_admin_may_not_look(house: House, admin: Visitor) -> None:
    """spec: tracker Q-09"""
    other = house.account("other")
    admin.get("/manager/promote/2")
    assert other.get("/auth/audit").status_code == 200
    admin.get("/manager/demote/2")
    assert other.get("/auth/audit").status_code == 403


def test_an_entry_cannot_be_changed(house: House, filled: Visitor) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        house.database.execute("UPDATE audit SET address = ''")


def test_old_entries_are_forgotten(make_house: MakeHouse) -> None:
    house = make_house(audit_days=30)
    admin = house.account("admin")
    deliver(house)
    old = Event.new("auth.login.failed", "login/x", {"username": "x", "address": "::1"}, service="auth")
    deliver(house, Event(**{**vars(old), "time": "2001-02-03T04:05:06Z"}))
    assert len(listed(admin)) == 2
    assert house.parts.audit.prune() == 1
    assert types(admin) == ["auth.account.created"]


def test_the_time_is_the_events(house: House, admin: Visitor) -> None:
    event = Event.new("auth.login.failed", "login/x", {"username": "x", "address": "::1"}, service="auth")
    deliver(house, Event(**{**vars(event), "time": "2001-02-03T04:05:06.5Z"}))
    assert listed(admin, "username=x")[0]["time"] == "2001-02-03T04:05:06.500000Z"


def test_contracts_name_what_the_audit_receives() -> None:
    assert handlers.types == consumed_by("auth")


def test_no_event_holds_a_secret(house: House, filled: Visitor) -> None:
    """Passwords, worker secrets, keys, tokens and sessions: none of them leaves in an event."""
    worker = house.worker("w")
    visitor = house.account("third")
    secrets = [
        PASSWORD,
        "wrong password",
        "mistyped secret",
        worker.headers["X-Secret"],
        visitor.post("/auth/keys", {"name": "k"}).get_json()["key"],
        visitor.post("/auth/token", {"username": "third", "password": PASSWORD}).get_json()["access_token"],
        visitor.post("/login", {"username": "third", "password": PASSWORD}).headers["Set-Cookie"].split(";")[0][3:],
    ]
    visitor.post("/login", {"username": "third", "password": "wrong password"})
    visitor.post("/login", {"username": "mistyped secret", "password": PASSWORD})
    told = "".join(row["envelope"] for row in house.database.all("SELECT envelope FROM outbox"))
    deliver(house)
    kept = orjson.dumps(listed(filled, "limit=1000")).decode()
    assert len(told) > 1000
    assert not [secret for secret in secrets if secret in told + kept]


def test_the_retention_is_a_setting() -> None:
    assert AuthSettings.model_fields["audit_days"].default == 400
