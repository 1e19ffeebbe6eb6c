"""Workers: creation, alias, pause, reading (spec: tracker 4.2)."""

import base64
import json
import time

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from auth_service.testing import House
from chassis.errors import Unavailable

NOT_PARSED = {"ok": False, "message": "Could not parse request"}
UNAUTHORIZED = {"ok": False, "message": "Unauthorized"}


def test_a_worker_is_created_as_documented(house: House) -> None:
    """spec: tracker 4.2, the example of the public documentation."""
    worker = house.visitor().post("/worker/create", {"alias": "some alias"}).get_json()["content"]["worker"]
    assert list(worker) == ["id", "created", "alias", "secret", "paused"]
    assert (worker["id"], worker["alias"], worker["paused"]) == (1, "some alias", False)
    assert abs(worker["created"] - time.time()) < 5
    assert len(base64.b64decode(worker["secret"], validate=True)) == 32
    assert len(worker["secret"]) == 44


@pytest.mark.parametrize("body", [{}, None, {"alias": None}, {"alias": ""}, {"other": 1}], ids=str)
def test_no_alias_becomes_the_default_alias(house: House, body: object) -> None:
    """spec: tracker 4.2 create; Q-55."""
    answer = house.visitor().post("/worker/create", json.dumps(body).encode())
    assert answer.get_json()["content"]["worker"]["alias"] == "default_alias"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"alias": 1}', b'{"alias": "a"} x', b'{"alias": "a\\u0000b"}', b'"alias"', b"{", b"\xff"]
)
def test_a_body_that_cannot_be_parsed_creates_nothing(house: House, body: bytes) -> None:
    """spec: tracker 4.2 create row 1, Q-30, Q-05."""
    answer = house.visitor().post("/worker/create", body)
    assert (answer.status_code, answer.get_json()) == (400, NOT_PARSED)
    assert house.database.value("SELECT count(*) FROM worker") == 0


def test_the_alias_unassigned_is_reserved(house: House) -> None:
    """spec: tracker 4.2 create row 2, update Q-44."""
    answer = house.visitor().post("/worker/create", {"ALIAS": "unassigned"})
    assert (answer.status_code, answer.get_json()["message"]) == (403, "You are now allowed to create a worker")
    answer = house.worker().post("/worker/update", {"alias": "unassigned"})
    assert (answer.status_code, answer.get_json()) == (200, {"ok": False, "message": "Could not update worker"})


def test_an_alias_has_a_limit(house: House) -> None:
    """spec: tracker Q-21."""
    worker = house.worker("é" * 255)
    assert house.visitor().post("/worker/create", {"alias": "x" * 256}).status_code == 400
    assert worker.post("/worker/update", {"alias": "x" * 256}).get_json() == NOT_PARSED


def test_creation_ignores_credentials(house: House) -> None:
    """spec: tracker 15: the Python client sends the text None before it has a worker."""
    visitor = house.visitor(X_Worker_ID="None", X_Secret="None", Authorization="Bearer none")
    assert visitor.post("/worker/create", {}).status_code == 200


def test_no_two_secrets_are_equal(house: House) -> None:
    """spec: tracker Q-08."""
    assert len({house.worker().headers["X-Secret"] for _ in range(20)}) == 20


@pytest.mark.parametrize("alias", ["another alias", "unassigned ", '"; DROP TABLE worker; --', "\u2028 \u0001"])
def test_a_worker_changes_its_alias(house: House, alias: str) -> None:
    """spec: tracker 4.2 update row 4."""
    worker = house.worker()
    assert worker.post("/worker/update", {"alias": alias}).get_json() == {"ok": True}
    assert worker.get("/worker/get/1").get_json()["content"]["worker"]["alias"] == alias


def test_an_empty_alias_becomes_the_default_alias_again(house: House) -> None:
    """spec: tracker Q-44."""
    worker = house.worker()
    assert worker.post("/worker/update", {}).get_json() == {"ok": True}
    assert worker.get("/worker/get/1").get_json()["content"]["worker"]["alias"] == "default_alias"


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({}, "worker id not specified"),
        ({"X_Worker_ID": "", "X_Secret": "x"}, "worker id not specified"),
        ({"X_Worker_ID": "1"}, "secret is not specified"),
        ({"X_Worker_ID": "x"}, "secret is not specified"),
        ({"X_Worker_ID": "x", "X_Secret": "x"}, 'strconv.ParseInt: parsing "x": invalid syntax'),
        ({"X_Worker_ID": "1.0", "X_Secret": "x"}, 'strconv.ParseInt: parsing "1.0": invalid syntax'),
        (
            {"X_Worker_ID": "9" * 19 + "9", "X_Secret": "x"},
            f'strconv.ParseInt: parsing "{"9" * 20}": value out of range',
        ),
        ({"X_Worker_ID": "2", "X_Secret": "x"}, "worker id does not match any valid worker"),
        ({"X_Worker_ID": "0", "X_Secret": "x"}, "worker id does not match any valid worker"),
        ({"X_Worker_ID": "-1", "X_Secret": "x"}, "worker id does not match any valid worker"),
        ({"X_Worker_ID": "9223372036854775807", "X_Secret": "x"}, "worker id does not match any valid worker"),
        ({"X_Worker_ID": "1", "X_Secret": "x"}, "invalid secret"),
        ({"X_Worker_ID": "1", "X_Secret": "A" * 43 + "="}, "invalid secret"),
        ({"X_Worker_ID": "1", "X_Secret": "A" * 200}, "invalid secret"),
    ],
    ids=str,
)
def test_a_failed_worker_check_says_why(house: House, headers: dict[str, str], text: str) -> None:
    """spec: tracker 2.1, 4.2 update row 1; Q-05 for long secrets."""
    house.worker()
    answer = house.visitor(**headers).post("/worker/update", {"alias": "stolen"})
    assert (answer.status_code, answer.get_json()) == (401, {"ok": False, "message": text})


def test_the_secret_is_decoded_strictly(house: House) -> None:
    """spec: tracker Q-07: nothing may follow a correct secret, and nothing may be missing."""
    worker = house.worker()
    secret = worker.headers["X-Secret"]
    for wrong in (secret + "=", secret + "AAAA", secret[:-1], secret + "!", secret[:20] + "!" + secret[20:], " " * 44):
        assert worker.post("/worker/update", {}, X_Secret=wrong).get_json()["message"] == "invalid secret"
    assert worker.post("/worker/update", {}, X_Worker_ID="+1").get_json() == {"ok": True}


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(secret=st.binary(min_size=32, max_size=32))
def test_no_other_secret_passes(house: House, secret: bytes) -> None:
    """spec: tracker 2.1 row 5: of all secrets only the worker's own is accepted."""
    house.parts.workers.get(1) or house.worker()
    answer = house.visitor(X_Worker_ID="1", X_Secret=base64.b64encode(secret).decode()).post("/worker/update", {})
    assert answer.get_json() == {"ok": False, "message": "invalid secret"}


def test_the_worker_check_comes_before_the_body(house: House) -> None:
    """spec: tracker 4.2 update rows 1, 2."""
    assert house.visitor().post("/worker/update", b"{").status_code == 401
    assert house.worker().post("/worker/update", b"{").get_json() == NOT_PARSED


@pytest.mark.parametrize(
    ("number", "status", "text"),
    [
        ("x", 400, 'strconv.ParseInt: parsing "x": invalid syntax'),
        ("1e3", 400, 'strconv.ParseInt: parsing "1e3": invalid syntax'),
        ("9223372036854775808", 400, 'strconv.ParseInt: parsing "9223372036854775808": value out of range'),
        ("0", 400, "Invalid worker id"),
        ("-1", 400, "Invalid worker id"),
        ("2", 404, "Worker not found"),
        ("4294967297", 404, "Worker not found"),
        ("9223372036854775807", 404, "Worker not found"),
    ],
)
def test_a_worker_that_is_not_there(house: House, number: str, status: int, text: str) -> None:
    """spec: tracker 4.2 get rows 1-3, Q-05."""
    house.worker()
    answer = house.visitor().get(f"/worker/get/{number}")
    assert (answer.status_code, answer.get_json()) == (status, {"ok": False, "message": text})


def test_only_a_tracker_admin_sees_a_secret(house: House) -> None:
    """spec: tracker 4.2 get row 4."""
    worker = house.worker()
    admin, other = house.account("admin"), house.account("other")
    for anyone in (house.visitor(), worker, other):
        assert anyone.get("/worker/get/1").get_json()["content"]["worker"]["secret"] is None
    shown = admin.get("/worker/get/+1").get_json()["content"]["worker"]
    assert shown["secret"] == worker.headers["X-Secret"]


def test_no_secret_is_readable_in_the_database(house: House) -> None:
    """DESIGN 4: hashed to check it, encrypted to show it."""
    secret = base64.b64decode(house.worker().headers["X-Secret"])
    row = house.database.one("SELECT secret_hash, secret_sealed FROM worker")
    assert row is not None
    assert all(secret not in bytes(column) for column in row.values())


def test_a_secret_sealed_under_a_lost_key_still_works_but_cannot_be_shown(house: House) -> None:
    """An operator who loses TASKYARD_SECRET_KEY loses no worker."""
    worker, admin = house.worker(), house.account()
    house.database.execute("UPDATE worker SET secret_sealed = 'other'")
    assert admin.get("/worker/get/1").get_json()["content"]["worker"]["secret"] is None
    assert worker.post("/worker/update", {}).status_code == 200


class TrackerTwin:
    """A tracker that remembers what it is told, or is away."""

    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []
        self.away = False
        self.answer = 200

    def post(self, path: str, body: object) -> tuple[int, object]:
        if self.away:
            raise Unavailable("tracker-service")
        self.told.append((path, body))
        return self.answer, {}


@pytest.fixture
def tracker(house: House) -> TrackerTwin:
    twin = TrackerTwin()
    house.parts.tracker._client = twin  # type: ignore[assignment]
    return twin


def test_a_pause_is_with_the_tracker_before_the_answer(house: House, tracker: TrackerTwin) -> None:
    """spec: tracker 4.2 set_paused row 5; DESIGN 4."""
    house.worker()
    admin = house.account()
    created = admin.get("/worker/get/1").get_json()["content"]["worker"]["created"]
    assert admin.post("/worker/set_paused", {"worker": 1, "paused": True}).get_json() == {"ok": True}
    record = {"alias": "some alias", "paused": True, "created": created, "version": 2}
    assert tracker.told == [("/internal/workers/1", record)]
    assert house.events("auth.worker.updated") == [{"worker_id": 1, **record, "by": 1}]
    assert admin.get("/worker/get/1").get_json()["content"]["worker"]["paused"] is True
    assert admin.post("/worker/set_paused", {"worker": 1}).get_json() == {"ok": True}
    assert tracker.told[1][1] == {**record, "paused": False, "version": 3}


def test_a_pause_keeps_when_the_tracker_is_away(house: House, tracker: TrackerTwin) -> None:
    """DESIGN 4: it is answered 503, stored, and its event heals the tracker."""
    house.worker()
    admin = house.account()
    tracker.away = True
    answer = admin.post("/worker/set_paused", {"worker": 1, "paused": True})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert [event["paused"] for event in house.events("auth.worker.updated")] == [True]


def test_a_pause_that_the_tracker_does_not_take_is_not_done(house: House, tracker: TrackerTwin) -> None:
    house.worker()
    tracker.answer = 404
    answer = house.account().post("/worker/set_paused", {"worker": 1, "paused": True})
    assert answer.status_code == 503


def test_an_alias_change_keeps_the_pause(house: House) -> None:
    """spec: tracker Q-27."""
    worker = house.worker()
    house.account().post("/worker/set_paused", {"worker": 1, "paused": True})
    worker.post("/worker/update", {"alias": "b"})
    shown = worker.get("/worker/get/1").get_json()["content"]["worker"]
    assert (shown["alias"], shown["paused"]) == ("b", True)


@pytest.mark.parametrize("number", [0, -1, 2, 4294967297, 2**63 - 1])
def test_a_worker_that_is_not_there_cannot_be_paused(house: House, number: int) -> None:
    """spec: tracker 4.2 set_paused row 3, Q-05."""
    house.worker()
    answer = house.account().post("/worker/set_paused", {"worker": number, "paused": True})
    assert (answer.status_code, answer.get_json()) == (400, {"ok": False, "message": "Invalid worker"})


def test_only_a_tracker_admin_pauses(house: House) -> None:
    """spec: tracker 4.2 set_paused rows 1, 2: who comes before what."""
    worker, admin, other = house.worker(), house.account("admin"), house.account("other")
    for anyone in (house.visitor(), worker, other):
        for body in ({"worker": 1, "paused": True}, b"{"):
            answer = anyone.post("/worker/set_paused", body)
            assert (answer.status_code, answer.get_json()) == (403, UNAUTHORIZED)
    assert admin.post("/worker/set_paused", b"{").get_json() == NOT_PARSED
    assert admin.post("/worker/set_paused", {"worker": "1"}).get_json() == NOT_PARSED
    assert house.events("auth.worker.updated") == []


def test_events_tell_of_a_new_and_a_renamed_worker(house: House) -> None:
    worker = house.worker("a")
    worker.post("/worker/update", {"alias": "b"})
    (created,) = house.events("auth.worker.created")
    (updated,) = house.events("auth.worker.updated")
    assert (created["worker_id"], created["alias"], created["version"]) == (1, "a", 1)
    assert (updated["worker_id"], updated["alias"], updated["version"]) == (1, "b", 2)
