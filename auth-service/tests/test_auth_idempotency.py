"""Creating requests sent again (DESIGN 11): each creates once, and no stored answer is readable."""

from auth_service.testing import PASSWORD, House

KEY = "7f9c2ba4-e88f-827d-6160-455076d4ba2b"


def test_a_worker_is_created_once(house: House) -> None:
    first = house.visitor().post("/worker/create", {"alias": "a"}, Idempotency_Key=KEY)
    second = house.visitor().post("/worker/create", {"alias": "a"}, Idempotency_Key=KEY)
    assert first.get_json() == second.get_json()
    assert second.headers["Idempotency-Replayed"] == "true"
    assert house.visitor().post("/worker/create", {"alias": "b"}, Idempotency_Key=KEY).status_code == 422
    assert house.database.value("SELECT count(*) FROM worker") == 1


def test_a_stranger_with_the_same_key_gets_a_worker_of_its_own(house: House) -> None:
    secrets = set()
    for address in ("203.0.113.7", "203.0.113.8", "203.0.113.7"):
        visitor = house.visitor(X_Forwarded_For=address, Idempotency_Key="1")
        secrets.add(visitor.post("/worker/create", {}).get_json()["content"]["worker"]["secret"])
    assert len(secrets) == 2


def test_an_account_is_registered_once_and_both_answers_log_in(house: House) -> None:
    body = {"username": "myadmin", "password": PASSWORD}
    for _ in range(2):
        visitor = house.visitor()
        assert visitor.post("/register", body, Idempotency_Key=KEY).get_json() == {"ok": True}
        assert visitor.get("/account").get_json()["ok"] is True
    assert (
        house.visitor().post("/register", {**body, "password": "another one"}, Idempotency_Key=KEY).status_code == 422
    )


def test_a_key_is_made_once_and_only_for_its_owner(house: House) -> None:
    account, other = house.account(), house.account("other")
    first = account.post("/auth/keys", {"name": "k"}, Idempotency_Key=KEY)
    assert account.post("/auth/keys", {"name": "k"}, Idempotency_Key=KEY).get_json() == first.get_json()
    assert other.post("/auth/keys", {"name": "k"}, Idempotency_Key=KEY).get_json()["id"] != first.get_json()["id"]
    assert house.visitor().post("/auth/keys", {"name": "k"}, Idempotency_Key=KEY).status_code == 401


def test_stored_answers_are_encrypted(house: House) -> None:
    answer = house.visitor().post("/worker/create", {"alias": "a"}, Idempotency_Key=KEY)
    secret = answer.get_json()["content"]["worker"]["secret"]
    row = house.database.one("SELECT * FROM idempotency")
    assert row is not None
    assert all(secret.encode() not in bytes(row[column]) for column in ("place", "request", "answer"))


def test_a_refused_request_may_be_sent_again(house: House) -> None:
    refused = house.visitor().post("/worker/create", {"alias": "unassigned"}, Idempotency_Key=KEY)
    assert refused.status_code == 403
    assert house.visitor().post("/worker/create", {"alias": "assigned"}, Idempotency_Key=KEY).status_code == 200
