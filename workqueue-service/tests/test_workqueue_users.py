"""Tokens of users as PDM clients know them (spec: workqueue 2.2, 7.3)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from itsdangerous import URLSafeSerializer
from pydantic import SecretStr, ValidationError

from chassis.identity import Basic, Kind, Principal
from chassis.testing.contract_client import ContractClient
from chassis.testing.identity import KnownPrincipals
from workqueue_service.settings import WorkqueueSettings
from workqueue_service.testing import API, USERS, Person, Worker, path_of

SECRET = "shared by all services of the old house"
LOGIN = f"{USERS}/login"


@pytest.fixture
def settings(settings: WorkqueueSettings) -> WorkqueueSettings:
    """Settings with the secret of an existing PDM."""
    return settings.model_copy(update={"workqueue_pdm_secret": SecretStr(SECRET)})


@pytest.fixture
def ada(known: KnownPrincipals) -> Principal:
    """Somebody with a password."""
    principal = Principal(Kind.ACCOUNT, 42, "ada@example.org", tenant="42")
    known._known[Basic("ada@example.org", "a good password")] = principal
    return principal


def token(secret: str = SECRET, salt: str = "pdmwebsvc", **changes: Any) -> str:
    """Return a token that a PDM users service would issue."""
    payload = {"id": 42, "expiry": "2100-01-01T00:00:00.000001", "email": "ada@example.org"} | changes
    return str(URLSafeSerializer(secret, salt=salt).dumps(payload))


def test_logging_in(client: ContractClient, ada: Principal) -> None:
    """The command line of PDM takes the token apart and wants a fraction in its expiry."""
    answer = client.post(LOGIN, json={"email": ada.name, "passwd": "a good password"})
    assert answer.status_code == 200
    given = URLSafeSerializer(SECRET, salt="pdmwebsvc").loads(answer.json)
    expiry = datetime.strptime(given.pop("expiry"), "%Y-%m-%dT%H:%M:%S.%f").replace(tzinfo=UTC)
    assert given == {"id": 42, "email": "ada@example.org"}
    assert timedelta(hours=11, minutes=59) < expiry - datetime.now(UTC) <= timedelta(hours=12)
    assert client.get(f"{API}/jobs", headers={"X-Token": answer.json}).json == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"email": "ada@example.org", "passwd": "wrong"}, 403),
        ({"email": "nobody", "passwd": "a good password"}, 403),
        ({"email": "ada@example.org"}, 400),
        ({"email": "", "passwd": "x"}, 400),
        ({"email": "ada@example.org", "passwd": ""}, 400),
        ({"email": "a:b", "passwd": "x"}, 400),
        ({"email": 1, "passwd": "x"}, 400),
        ([], 400),
    ],
)
def test_refused_log_ins(client: ContractClient, ada: Principal, body: Any, status: int) -> None:
    """spec: workqueue 7.3; a session of somebody else in the same request does not help."""
    assert client.post(LOGIN, json=body, headers={"Cookie": "tt=session-42"}).status_code == status


def test_a_worker_gets_no_user_token(client: ContractClient, known: KnownPrincipals) -> None:
    """Workers have ids and secrets that HTTP Basic takes as well, but they are nobody's user."""
    known._known[Basic("7", "secret")] = Principal(Kind.WORKER, 7, "worker")
    assert client.post(LOGIN, json={"email": "7", "passwd": "secret"}).status_code == 403


def test_tokens_of_a_pdm_users_service(client: ContractClient, person: Callable[..., Person], site: int) -> None:
    """spec: workqueue 2.2, 10 Q4: the user is the account whose id the token names; a whole second is one, too."""
    person(42).submit("list", site)
    assert [job["user_id"] for job in client.get(f"{API}/jobs", headers={"X-Token": token()}).json] == [42]
    assert client.get(f"{API}/jobs", headers={"X-Token": token(id=43)}).json == []
    whole_second = token(expiry="2100-01-01T00:00:00")
    assert client.get(f"{API}/jobs", headers={"X-Token": whole_second}).status_code == 200


@pytest.mark.parametrize(
    "bad",
    [
        token(secret="another"),
        token(salt="workqueue.element"),
        token(expiry="2021-01-01T00:00:00.000000"),
        token(expiry=None),
        token(expiry="tomorrow"),
        token(id=None),
        token(id="x"),
        token() + "x",
        str(URLSafeSerializer(SECRET, salt="pdmwebsvc").dumps("7.1")),
        str(URLSafeSerializer(SECRET, salt="pdmwebsvc").dumps({"id": 42})),
        str(URLSafeSerializer(SECRET, salt="pdmwebsvc").dumps([42])),
    ],
)
def test_tokens_that_are_none(client: ContractClient, bad: str) -> None:
    """spec: workqueue 2.6: 403, whatever is wrong with it."""
    assert client.get(f"{API}/jobs", headers={"X-Token": bad}).status_code == 403


def test_a_user_token_makes_no_administrator(client: ContractClient, person: Callable[..., Person]) -> None:
    """Whoever shares the secret gets at jobs and sites, not at the trust in workers."""
    person(42, admin=True)
    assert client.get(f"{API}/workers", headers={"X-Token": token()}).status_code == 403


def test_a_user_token_is_no_elements(worker: Worker, user: Person, site: int) -> None:
    """spec: workqueue 2.6: the second of the two messages."""
    user.submit("list", site)
    [element] = worker.take()
    answer = worker.put(path_of(element), json={}, headers={"X-Token": token()})
    assert (answer.status_code, answer.json["error"]) == (403, "Token not valid for element 0 of job 1")


def test_a_secret_that_could_be_guessed(settings: WorkqueueSettings) -> None:
    """It would make everybody everybody."""
    with pytest.raises(ValidationError, match="16 characters"):
        WorkqueueSettings(**settings.model_dump() | {"workqueue_pdm_secret": SecretStr("short")})
