"""Registration, login, logout and the account page (spec: tracker 2.2, 4.6)."""

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime

import pytest

from auth_service.testing import PASSWORD, House, Visitor

GOOD = {"username": "myadmin", "password": PASSWORD}
NOT_PARSED = {"ok": False, "message": "Could not parse request"}
ANONYMOUS = {"ok": False, "content": {"logged_in": False}}


def cookie_of(visitor: Visitor) -> str:
    cookie = visitor.client.get_cookie("tt")
    assert cookie is not None
    return cookie.value


@pytest.mark.parametrize(
    "body", [GOOD, {**GOOD, "repeatPassword": PASSWORD}, {"USERNAME": "abc", "PassWord": "12345678"}]
)
def test_registration_logs_in(house: House, body: dict[str, str]) -> None:
    """spec: tracker 4.6 register row 4; 13.1: what the web UI sends."""
    visitor = house.visitor()
    assert visitor.post("/register", body).get_json() == {"ok": True}
    answer = visitor.get("/account").get_json()
    assert answer["content"]["logged_in"] is True
    assert answer["content"]["manager"]["username"] == (body.get("username") or "abc")


@pytest.mark.parametrize(
    ("username", "password", "good"),
    [
        ("abc", "12345678", True),
        ("a" * 16, "12345678", True),
        ("ab", "12345678", False),
        ("a" * 17, "12345678", False),
        ("é" * 8, "12345678", True),
        ("é" * 9, "12345678", False),
        ("é", "12345678", False),
        ("é1", "1234567", False),
        ("abc", "é" * 4, True),
        ("abc", "é" * 3 + "1", False),
        ("abc", "x" * 1024, True),
        ("abc", "x" * 1025, False),
        (" \t\n", "        ", True),
        ("ab\0", "12345678", False),
        ("abc", "1234567\0", False),
        ("", "", False),
        (None, None, False),
    ],
)
def test_the_lengths_are_in_bytes(house: House, username: str, password: str, good: bool) -> None:
    """spec: tracker 4.6 register row 2, Q-05, Q-21."""
    body = {"username": username, "password": password}
    answer = house.visitor().post("/register", body)
    if good:
        assert answer.get_json() == {"ok": True}
        assert house.visitor().post("/login", body).status_code == 200
    else:
        assert (answer.status_code, answer.get_json()) == (400, {"ok": False, "message": "Invalid register request"})
        assert house.database.value("SELECT count(*) FROM account") == 0


@pytest.mark.parametrize("path", ["/register", "/login"])
@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"username": 1}', b'{"username": "a"}x', b'{"password": []}'])
def test_a_body_that_cannot_be_parsed(house: House, path: str, body: bytes) -> None:
    """spec: tracker 4.6 register row 1, login."""
    answer = house.visitor().post(path, body)
    assert (answer.status_code, answer.get_json()) == (400, NOT_PARSED)


def test_a_name_is_taken_once(house: House) -> None:
    """spec: tracker 4.6 register row 3, Q-23; names are case-sensitive."""
    house.account("myadmin")
    answer = house.visitor().post("/register", {**GOOD, "password": "another password"})
    text = 'pq: duplicate key value violates unique constraint "manager_username_key"'
    assert (answer.status_code, answer.get_json()) == (400, {"ok": False, "message": text})
    assert "Set-Cookie" not in answer.headers
    assert house.visitor().post("/register", {**GOOD, "username": "MyAdmin"}).status_code == 200
    assert house.visitor().post("/login", {**GOOD, "username": "MYADMIN"}).status_code == 403


def test_the_first_account_is_tracker_admin(house: House) -> None:
    """spec: tracker 2.3, Q-45: also when earlier registrations failed."""
    house.visitor().post("/register", {"username": "x", "password": "x"})
    first, second = house.account("first"), house.account("second")
    assert first.get("/account").get_json()["content"]["manager"]["tracker_admin"] is True
    assert second.get("/account").get_json()["content"]["manager"]["tracker_admin"] is False


def test_of_registrations_at_the_same_moment_one_is_admin(house: House) -> None:
    """spec: tracker Q-45: atomically."""
    names = [f"person{number}" for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(house.account, names))
    accounts = house.parts.accounts.all()
    assert sorted(account.username for account in accounts) == names
    assert [account.id for account in accounts if account.tracker_admin] == [min(a.id for a in accounts)]


def test_of_equal_names_at_the_same_moment_one_wins(house: House) -> None:
    """spec: tracker 4.6 register row 3."""
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: house.visitor().post("/register", GOOD).status_code, range(4)))
    assert sorted(answers) == [200, 400, 400, 400]


def test_login_answers_the_manager(house: House) -> None:
    """spec: tracker 4.6 login."""
    house.account()
    manager = house.visitor().post("/login", GOOD).get_json()["content"]["manager"]
    assert list(manager) == ["id", "username", "tracker_admin", "register_time"]
    assert {**manager, "register_time": 0} == {
        "id": 1,
        "username": "myadmin",
        "tracker_admin": True,
        "register_time": 0,
    }
    assert abs(manager["register_time"] - time.time()) < 5


@pytest.mark.parametrize(
    "body",
    [
        {"username": "myadmin", "password": "wrong password"},
        {"username": "nobody", "password": PASSWORD},
        {"username": "myadmin"},
        {"password": PASSWORD},
        {"username": "myadmin" * 10, "password": PASSWORD},
        {"username": "myadmin", "password": "x" * 2000},
        {},
        None,
    ],
    ids=str,
)
def test_a_wrong_login_is_refused(house: House, body: object) -> None:
    """spec: tracker 4.6 login."""
    house.account()
    answer = house.visitor().post("/login", json.dumps(body).encode())
    assert (answer.status_code, answer.get_json()) == (403, {"ok": False, "message": "Invalid username/password"})
    assert "Set-Cookie" not in answer.headers


def test_a_login_with_a_zero_character_is_no_login(house: House) -> None:
    """spec: tracker Q-05."""
    answer = house.visitor().post("/login", {"username": "a\0b", "password": PASSWORD})
    assert (answer.status_code, answer.get_json()) == (400, NOT_PARSED)


@pytest.mark.parametrize("path", ["/register", "/login"])
def test_the_cookie_has_the_documented_attributes(house: House, path: str) -> None:
    """spec: tracker 2.2, Q-10: usable over plain HTTP, on every path, out of reach of scripts and other sites."""
    if path == "/login":
        house.account()
    answer = house.visitor().post(path, GOOD)
    value, *attributes = answer.headers["Set-Cookie"].split("; ")
    assert re.fullmatch("tt=[A-Za-z]{32}", value)
    named = dict(attribute.partition("=")[::2] for attribute in attributes)
    expires = parsedate_to_datetime(named.pop("Expires")).timestamp()
    assert abs(expires - time.time() - 8 * 3600) < 10
    assert named == {"Path": "/", "HttpOnly": "", "SameSite": "Lax"}


def test_the_cookie_is_secure_only_when_the_gate_says_tls(house: House) -> None:
    """spec: tracker Q-10; nobody but a gate is believed."""
    secure = house.visitor().post("/register", GOOD, X_Forwarded_Proto="https")
    assert "; Secure" in secure.headers["Set-Cookie"]
    plain = house.visitor().post("/login", GOOD, X_Forwarded_Proto="http")
    assert "; Secure" not in plain.headers["Set-Cookie"]
    stranger = house.visitor()
    stranger.client.environ_base["REMOTE_ADDR"] = "203.0.113.7"
    assert "; Secure" not in stranger.post("/login", GOOD, X_Forwarded_Proto="https").headers["Set-Cookie"]


def test_the_cookie_can_have_another_name_and_life(make_house: object) -> None:
    """spec: tracker 10 session.cookie_name, session.expiration."""
    house: House = make_house(session_cookie="tt_test", session_seconds=1500)  # type: ignore[operator]
    answer = house.visitor().post("/register", GOOD)
    assert answer.headers["Set-Cookie"].startswith("tt_test=")
    expires = parsedate_to_datetime(re.findall("Expires=([^;]+)", answer.headers["Set-Cookie"])[0])
    assert abs(expires.timestamp() - time.time() - 1500) < 10


def test_login_never_takes_over_a_session_id(house: House) -> None:
    """spec: tracker Q-19: each login has a new id, one chosen by the client means nothing."""
    house.account()
    visitor = house.visitor()
    visitor.client.set_cookie("tt", "A" * 32)
    assert visitor.get("/account").get_json() == ANONYMOUS
    seen = {"A" * 32}
    for _ in range(3):
        assert visitor.post("/login", GOOD).status_code == 200
        assert cookie_of(visitor) not in seen
        seen.add(cookie_of(visitor))


def test_a_new_login_ends_the_session_that_it_replaces(house: House) -> None:
    visitor = house.account()
    old = cookie_of(visitor)
    visitor.post("/login", GOOD)
    assert house.visitor(Cookie=f"tt={old}").get("/account").get_json() == ANONYMOUS
    assert visitor.get("/account").get_json()["ok"] is True


def test_logout_holds_for_the_next_request(house: House) -> None:
    """spec: tracker Q-20: the entry is gone and the cookie expired; 204 always."""
    visitor = house.account()
    stolen = house.visitor(Cookie=f"tt={cookie_of(visitor)}")
    assert stolen.get("/account").get_json()["ok"] is True
    answer = visitor.get("/logout")
    assert (answer.status_code, answer.data) == (204, b"")
    assert "Expires=Thu, 01 Jan 1970" in answer.headers["Set-Cookie"]
    assert visitor.client.get_cookie("tt") is None
    assert stolen.get("/account").get_json() == ANONYMOUS
    assert house.database.value("SELECT count(*) FROM session") == 0
    assert house.visitor().get("/logout").status_code == 204
    assert stolen.get("/logout").status_code == 204


def test_a_session_ends_by_itself(house: House) -> None:
    """spec: tracker Q-20: at the server, not only in the browser."""
    visitor = house.account()
    house.database.execute("UPDATE session SET expires_at = now()")
    assert visitor.get("/account").get_json() == ANONYMOUS
    house.parts.sessions.prune()
    assert house.database.value("SELECT count(*) FROM session") == 0


def test_only_logins_make_sessions(house: House) -> None:
    """spec: tracker Q-20."""
    for path in ("/account", "/logout", "/worker/get/1", "/manager/list"):
        assert "Set-Cookie" not in house.visitor().get(path).headers or path == "/logout"
    assert house.database.value("SELECT count(*) FROM session") == 0


def test_sessions_survive_a_restart_and_are_shared(make_house: object, house: House) -> None:
    """spec: tracker Q-53: a second process on the same database knows the session."""
    visitor = house.account()
    other = House(house.settings, house.database)
    assert other.visitor(Cookie=f"tt={cookie_of(visitor)}").get("/account").get_json()["ok"] is True


def test_the_session_id_is_not_in_the_database(house: House) -> None:
    """DESIGN 4: what opens doors is stored hashed."""
    value = cookie_of(house.account()).encode()
    assert value not in bytes(house.database.value("SELECT token_hash FROM session"))


def test_account_of_nobody(house: House) -> None:
    """spec: tracker 4.6 account: 200 with content, also for a session that is not there."""
    for cookie in ("", "tt=", "tt=unknown", "tt=" + "ÿ" * 4, "other=1"):
        answer = house.visitor(**({"Cookie": cookie} if cookie else {})).get("/account")
        assert (answer.status_code, answer.get_json()) == (200, ANONYMOUS)


def test_events_tell_of_accounts_and_logins(house: House) -> None:
    """DESIGN 5; no event carries a password."""
    visitor = house.visitor()
    visitor.client.environ_base["REMOTE_ADDR"] = "203.0.113.7"
    visitor.post("/register", GOOD)
    visitor.post("/login", GOOD)
    visitor.post("/login", {**GOOD, "password": "wrong password"})
    (created,) = house.events("auth.account.created")
    assert (created["account_id"], created["username"], created["tracker_admin"]) == (1, "myadmin", True)
    seen = [{"username": "myadmin", "address": "203.0.113.7"}]
    assert house.events("auth.login.succeeded") == seen
    assert house.events("auth.login.failed") == seen
    everything = "".join(row["envelope"] for row in house.database.all("SELECT envelope FROM outbox"))
    assert PASSWORD not in everything
    assert "wrong password" not in everything
