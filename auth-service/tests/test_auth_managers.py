"""The list of accounts, promotion and demotion (spec: tracker 4.6)."""

import pytest

from auth_service.testing import House, Visitor

UNAUTHORIZED = {"ok": False, "message": "Unauthorized"}


@pytest.fixture
def admin(house: House) -> Visitor:
    return house.account("admin")


@pytest.fixture
def other(house: House, admin: Visitor) -> Visitor:
    return house.account("other")


def is_admin(visitor: Visitor) -> bool:
    return bool(visitor.get("/account").get_json()["content"]["manager"]["tracker_admin"])


def test_every_account_sees_every_account(house: House, admin: Visitor, other: Visitor) -> None:
    """spec: tracker 4.6 list."""
    for visitor in (admin, other):
        managers = visitor.get("/manager/list").get_json()["content"]["managers"]
        assert [(m["id"], m["username"], m["tracker_admin"]) for m in managers] == [
            (1, "admin", True),
            (2, "other", False),
        ]


def test_nobody_else_sees_them(house: House, admin: Visitor) -> None:
    """spec: tracker 4.6 list; a worker is no manager."""
    for visitor in (house.visitor(), house.worker(), house.visitor(Cookie="tt=" + "A" * 32)):
        answer = visitor.get("/manager/list")
        assert (answer.status_code, answer.get_json()) == (401, UNAUTHORIZED)


def test_promotion_and_demotion_hold_for_running_sessions(house: House, admin: Visitor, other: Visitor) -> None:
    """spec: tracker 4.6, Q-09: the next request sees the account as it is."""
    assert admin.get("/manager/promote/2").status_code == 204
    assert is_admin(other)
    assert other.get("/manager/demote/1").status_code == 204
    assert not is_admin(admin)
    assert admin.get("/manager/demote/2").status_code == 403
    assert admin.post("/worker/set_paused", {"worker": 1}).status_code == 403
    updates = [(e["account_id"], e["tracker_admin"], e["version"]) for e in house.events("auth.account.updated")]
    assert updates == [(2, True, 2), (1, False, 2)]


def test_what_changes_nothing_tells_nothing(house: House, admin: Visitor, other: Visitor) -> None:
    """spec: tracker 4.6: 204 also if the id does not exist; Q-05."""
    for number in (3, 4294967298, 2**63 - 1):
        assert admin.get(f"/manager/promote/{number}").status_code == 204
        assert admin.get(f"/manager/demote/{number}").status_code == 204
    assert admin.get("/manager/demote/2").status_code == 204
    assert house.events("auth.account.updated") == []


@pytest.mark.parametrize("route", ["promote", "demote"])
@pytest.mark.parametrize("number", ["x", "0", "-1", "1.0", "9223372036854775808", "+"])
def test_a_bad_id_comes_first(house: House, route: str, number: str) -> None:
    """spec: tracker 4.6: before the caller is looked at."""
    answer = house.visitor().get(f"/manager/{route}/{number}")
    assert (answer.status_code, answer.get_json()) == (400, {"ok": False, "message": "Invalid manager id"})


def test_promote_refuses_everybody_with_401(house: House, admin: Visitor, other: Visitor) -> None:
    """spec: tracker 4.6 promote, Q-04, Q-37."""
    for visitor, number in ((house.visitor(), 2), (house.worker(), 2), (other, 1), (other, 2), (admin, 1)):
        answer = visitor.get(f"/manager/promote/{number}")
        assert (answer.status_code, answer.get_json()) == (401, UNAUTHORIZED)
    assert not is_admin(other)


def test_demote_refuses_strangers_with_401_and_others_with_403(house: House, admin: Visitor, other: Visitor) -> None:
    """spec: tracker 4.6 demote, Q-37; nobody demotes oneself."""
    for visitor, number, status in (
        (house.visitor(), 1, 401),
        (house.worker(), 1, 401),
        (other, 1, 403),
        (other, 2, 403),
        (admin, 1, 403),
    ):
        answer = visitor.get(f"/manager/demote/{number}")
        assert (answer.status_code, answer.get_json()) == (status, UNAUTHORIZED)
    assert is_admin(admin)


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "http://localhost:81"},
    {"Origin": "null"},
    {"Origin": "http://["},
    {"Origin": "localhost"},
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site"},
    {"Origin": "http://localhost", "Sec_Fetch_Site": "cross-site"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize("route", ["promote", "demote"])
def test_pages_of_other_sites_change_nothing(house: House, admin: Visitor, headers: dict[str, str], route: str) -> None:
    """spec: tracker Q-10."""
    answer = admin.get(f"/manager/{route}/2", **headers)
    assert (answer.status_code, answer.get_json()) == (403, UNAUTHORIZED)


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": "http://localhost"}, {"Sec_Fetch_Site": "same-origin"}, {"Sec_Fetch_Site": "none"}],
    ids=str,
)
def test_own_pages_may(house: House, admin: Visitor, headers: dict[str, str]) -> None:
    """spec: tracker Q-10: the web UI calls so."""
    assert admin.get("/manager/promote/2", **headers).status_code == 204
    assert admin.get("/manager/demote/2", **headers).status_code == 204
