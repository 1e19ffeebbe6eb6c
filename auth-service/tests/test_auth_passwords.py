"""Passwords: storage, cost, throttling (spec: tracker Q-06, Q-21)."""

import base64
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import argon2
import pytest

from auth_service.passwords import KNOWN_SECONDS, Passwords
from auth_service.testing import PASSWORD, House

GOOD = {"username": "myadmin", "password": PASSWORD}
WRONG = {"username": "myadmin", "password": "wrong password"}
LIMITED = {"ok": False, "message": "Too many requests"}


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_passwords_are_hashed_with_argon2id(house: House) -> None:
    """spec: tracker Q-06."""
    house.account("first")
    house.account("second")
    hashes = [row["password_hash"] for row in house.database.all("SELECT password_hash FROM account")]
    assert all(text.startswith("$argon2id$v=19$m=19456,t=2,p=1$") for text in hashes)
    assert len(set(hashes)) == 2


def test_a_password_under_old_parameters_is_hashed_anew(house: House) -> None:
    house.account()
    old = argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    house.database.execute("UPDATE account SET password_hash = %s", [old])
    assert house.visitor().post("/login", WRONG).status_code == 403
    assert house.database.value("SELECT password_hash FROM account") == old
    assert house.visitor().post("/login", GOOD).status_code == 200
    assert "m=19456" in house.database.value("SELECT password_hash FROM account")
    assert house.visitor().post("/login", GOOD).status_code == 200


def test_an_unknown_name_costs_as_much_as_a_wrong_password() -> None:
    class Hasher:
        """Finds every password right and remembers what it was compared with."""

        compared: ClassVar[list[str]] = []

        def verify(self, stored: str, password: str) -> bool:
            self.compared.append(stored)
            return True

    passwords = Passwords()
    passwords._hasher = Hasher()  # type: ignore[assignment]
    with passwords.turn:
        assert not passwords.verify(None, PASSWORD)
        assert passwords.verify("hash", PASSWORD)
    assert Hasher.compared == [passwords._nobody, "hash"]


def test_a_password_is_known_for_a_minute_and_only_with_its_hash() -> None:
    """HTTP Basic must not cost a hash a request."""
    clock = Clock()
    passwords = Passwords(clock=clock)
    stored = passwords.hash(PASSWORD)
    assert not passwords.recently_verified(stored, PASSWORD)
    with passwords.turn:
        assert passwords.verify(stored, PASSWORD)
        assert not passwords.verify(stored, "wrong password")
    assert passwords.recently_verified(stored, PASSWORD)
    assert not passwords.recently_verified(stored, "wrong password")
    assert not passwords.recently_verified(passwords.hash(PASSWORD), PASSWORD)
    assert not passwords.recently_verified(None, PASSWORD)
    clock.now += KNOWN_SECONDS + 1
    assert not passwords.recently_verified(stored, PASSWORD)


def test_a_password_that_is_not_text_of_a_hash_is_refused() -> None:
    passwords = Passwords()
    with passwords.turn:
        assert not passwords.verify("not a hash", PASSWORD)


@pytest.fixture
def throttled(make_house: Any) -> House:
    """Three failures are allowed."""
    house: House = make_house(login_failures=3)
    house.account()
    return house


def test_guessing_is_throttled(throttled: House) -> None:
    """spec: tracker Q-21: the 429 envelope with rate_limit_delay, and Retry-After."""
    answers = [throttled.visitor().post("/login", WRONG) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [403, 403, 403, 429, 429]
    body = answers[-1].get_json()
    delay = body.pop("rate_limit_delay")
    assert body == LIMITED
    assert 290 < delay <= 300
    assert 290 < int(answers[-1].headers["Retry-After"]) <= 300
    assert answers[-1].headers["RateLimit-Reset"] == answers[-1].headers["Retry-After"]
    assert answers[-1].headers["RateLimit-Remaining"] == "0"
    assert throttled.visitor().post("/login", GOOD).status_code == 429
    assert len(throttled.events("auth.login.failed")) == 3


def test_unknown_names_are_throttled_alike(throttled: House) -> None:
    """Otherwise the throttle would tell which names exist."""
    body = {"username": "nobody", "password": PASSWORD}
    answers = [throttled.visitor().post("/login", body).status_code for _ in range(4)]
    assert answers == [403, 403, 403, 429]


def test_the_throttle_is_per_name_and_address(throttled: House) -> None:
    """Nobody locks somebody else out."""
    for _ in range(4):
        throttled.visitor().post("/login", WRONG)
    elsewhere = throttled.visitor(X_Forwarded_For="198.51.100.1, 203.0.113.7")
    assert elsewhere.post("/login", GOOD).status_code == 200
    assert throttled.account("other").get("/account").status_code == 200
    assert throttled.visitor().post("/login", {**GOOD, "username": "other"}).status_code == 200


def test_the_throttle_ends(throttled: House) -> None:
    for _ in range(4):
        throttled.visitor().post("/login", WRONG)
    throttled.database.execute("UPDATE failed_login SET first_at = now() - interval '301 s'")
    assert throttled.visitor().post("/login", WRONG).status_code == 403
    assert throttled.database.value("SELECT failures FROM failed_login") == 1
    assert throttled.visitor().post("/login", GOOD).status_code == 200
    assert throttled.database.value("SELECT count(*) FROM failed_login") == 0


def test_a_good_password_forgives(throttled: House) -> None:
    for _ in range(3):
        assert throttled.visitor().post("/login", WRONG).status_code == 403
        assert throttled.visitor().post("/login", WRONG).status_code == 403
        throttled.parts.passwords._known._until.clear()
        assert throttled.visitor().post("/login", GOOD).status_code == 200


def test_tokens_and_basic_are_throttled_too(throttled: House) -> None:
    basic = base64.b64encode(b"myadmin:wrong password").decode()
    visitor = throttled.visitor(Authorization=f"Basic {basic}")
    assert visitor.get("/manager/list").status_code == 401
    assert throttled.visitor().post("/auth/token", WRONG).status_code == 401
    assert visitor.get("/account").get_json()["ok"] is False
    answer = visitor.get("/manager/list")
    assert (answer.status_code, answer.get_json()["message"]) == (429, "Too many requests")
    assert throttled.visitor().post("/auth/token", WRONG).status_code == 429
    question = {"kind": "basic", **WRONG, "address": "127.0.0.1"}
    assert throttled.service().post("/internal/resolve", question).status_code == 429
    assert throttled.service().post("/internal/resolve", {**question, "address": "::1"}).status_code == 401


def test_guesses_at_the_same_moment_do_not_slip_by(throttled: House) -> None:
    """Of many at once no more pass the limit than there are turns for hashing."""
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: throttled.visitor().post("/login", WRONG).status_code, range(16)))
    turns = throttled.parts.passwords.turn._initial_value  # type: ignore[attr-defined]
    assert answers.count(403) <= 3 + turns - 1
    assert set(answers) == {403, 429}


def test_what_was_typed_is_not_kept(throttled: House) -> None:
    """People type passwords into the field of the name."""
    throttled.visitor().post("/login", {"username": "hunter2hunter2", "password": "x" * 8})
    assert "hunter2" not in str(throttled.database.all("SELECT * FROM failed_login"))


def test_counts_are_deleted_when_they_no_longer_matter(throttled: House) -> None:
    throttled.visitor().post("/login", WRONG)
    throttled.parts.attempts.prune()
    assert throttled.database.value("SELECT count(*) FROM failed_login") == 1
    throttled.database.execute("UPDATE failed_login SET first_at = now() - interval '301 s'")
    throttled.parts.attempts.prune()
    assert throttled.database.value("SELECT count(*) FROM failed_login") == 0


def test_a_hash_takes_a_noticeable_time() -> None:
    """Cheap enough for a login, too expensive for guessing."""
    passwords = Passwords()
    started = time.process_time()
    passwords.hash(PASSWORD)
    assert time.process_time() - started > 0.005


def test_logins_are_counted(house: House) -> None:
    """An operator sees guessing in the metrics, without names."""
    house.account()
    refused = 'logins_total{result="refused"} '
    before = house.visitor().get("/metrics").text.partition(refused)[2].partition("\n")[0] or "0"
    house.visitor().post("/login", WRONG)
    after = house.visitor().get("/metrics").text.partition(refused)[2].partition("\n")[0]
    assert float(after) == float(before) + 1
