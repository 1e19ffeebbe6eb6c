"""Push hooks (spec: tracker 4.7, 8, Q-05, Q-18, Q-29, Q-54)."""

import hashlib
import hmac
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from chassis.database import Database
from chassis.testing.contract_client import ContractClient
from tracker_service import githook
from tracker_service.githook import BadPush, Push
from tracker_service.settings import TrackerSettings

Make = Callable[..., int]

HEADER = "X-Gogs-Signature"
KEY = "0b5a3f3e"


def payload(**changes: Any) -> bytes:
    push = {"ref": "refs/heads/master", "after": "c0ffee", "repository": {"full_name": "Org/Repo"}}
    return orjson.dumps({**push, **changes})


def sign(body: bytes, key: str = KEY, digest: str = "sha256") -> str:
    return hmac.new(key.encode(), body, digest).hexdigest()


def push(client: ContractClient, body: bytes, signature: str | None = None) -> Any:
    return client.post("/git/receivehook", data=body, headers={HEADER: sign(body) if signature is None else signature})


def version(database: Database, project: int) -> Any:
    return database.value("SELECT version FROM project WHERE id = %s", [project])


@pytest.fixture
def project(make_project: Make) -> int:
    """A project that takes pushes of Org/Repo."""
    return make_project(git_repo="org/repo", webhook_secret=KEY, version="old", motd="kept")


@pytest.mark.parametrize("prefix", ["", "sha256=", "a=b="])
def test_a_signed_push_sets_the_version_and_nothing_else(
    client: ContractClient, database: Database, project: int, prefix: str
) -> None:
    """Row 7; the repository's case and everything up to the last = do not matter"""
    before = database.one("SELECT * FROM project WHERE id = %s", [project])
    body = payload()
    answer = push(client, body, prefix + sign(body))
    assert (answer.status_code, answer.data) == (200, b"")
    assert database.one("SELECT * FROM project WHERE id = %s", [project]) == {**(before or {}), "version": "c0ffee"}
    event = orjson.loads(database.value("SELECT envelope FROM outbox"))
    assert (event["type"], event["data"]["version"]) == ("tracker.project.updated", "c0ffee")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        payload(repository=None),
        payload(repository={"full_name": 1}),
        payload(after=None),
        payload(after="a\0b"),
        payload(after="x" * 256),
    ],
)
def test_a_body_that_is_no_push(client: ContractClient, project: int, body: bytes) -> None:
    """Row 1"""
    answer = push(client, body)
    assert (answer.status_code, answer.data) == (400, b"")


@pytest.mark.parametrize(
    "ref", ["", "master", "refs/heads/notmaster", "refs/tags/master", "refs/heads/dev", "x/refs/heads/master"]
)
def test_another_branch(client: ContractClient, database: Database, project: int, ref: str) -> None:
    """Row 2, Q-54: the whole name counts"""
    assert push(client, payload(ref=ref)).status_code == 400
    assert version(database, project) == "old"


def test_main_is_a_production_branch_too(client: ContractClient, database: Database, project: int) -> None:
    """Q-54"""
    assert push(client, payload(ref="refs/heads/main")).status_code == 200
    assert version(database, project) == "c0ffee"


@pytest.mark.parametrize("repository", ["other/repo", "", "org/rep_", "%"])
def test_no_project_has_the_repository(
    client: ContractClient, project: int, make_project: Make, repository: str
) -> None:
    """Row 3; projects without a repository match nothing"""
    make_project(git_repo="", webhook_secret=KEY)
    answer = push(client, payload(repository={"full_name": repository}))
    assert (answer.status_code, answer.data) == (400, b"")


@pytest.mark.parametrize("signature", ["", "sha256=", "wrong", "0" * 64, "\u00e9"])
def test_a_wrong_signature(client: ContractClient, database: Database, project: int, signature: str) -> None:
    """Row 5"""
    answer = push(client, payload(), signature)
    assert (answer.status_code, answer.text) == (403, "Signature does not match")
    assert answer.content_type == "text/plain; charset=utf-8"
    assert version(database, project) == "old"


def test_upper_case_and_foreign_digests_are_wrong(client: ContractClient, project: int) -> None:
    """spec: tracker 8: lower-case hex of the configured hash"""
    body = payload()
    assert push(client, body, sign(body).upper()).status_code == 403
    assert push(client, body, "sha1=" + sign(body, digest="sha1")).status_code == 403


def test_an_empty_key_disables_the_hook(client: ContractClient, make_project: Make) -> None:
    """Q-18"""
    make_project(git_repo="Org/Repo", webhook_secret="")
    body = payload()
    assert push(client, body, sign(body, key="")).status_code == 403


def test_every_project_whose_key_signed_is_updated(
    client: ContractClient, database: Database, project: int, make_project: Make
) -> None:
    """Q-29"""
    other = make_project(git_repo="ORG/REPO", webhook_secret="another")
    same = make_project(git_repo="Org/Repo", webhook_secret=KEY)
    assert push(client, payload()).status_code == 200
    assert [version(database, number) for number in (project, other, same)] == ["c0ffee", "", "c0ffee"]


def test_sha1_and_other_branches_are_a_matter_of_configuration(database: Database, project: int) -> None:
    """spec: tracker 8, 10"""
    body = payload(ref="refs/heads/release")
    signature = "sha1=" + hmac.new(KEY.encode(), body, hashlib.sha1).hexdigest()
    assert githook.receive(database, body, signature, digest="sha1", branches={"release"}) == [project]
    assert version(database, project) == "c0ffee"


def test_database_away(client: ContractClient, database: Database) -> None:
    """503: the forge may send it again"""
    database.close()
    assert push(client, payload()).status_code == 503


def test_an_unknown_hash_stops_the_start(
    settings: TrackerSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Q-05: refuse to start, and say why"""
    for name in ("port", "database_url", "amqp_url", "auth_url", "internal_key"):
        value = getattr(settings, name)
        monkeypatch.setenv(f"TASKYARD_{name.upper()}", str(getattr(value, "get_secret_value", lambda v=value: v)()))
    assert TrackerSettings.load().webhook_hash == "sha256"
    monkeypatch.setenv("TASKYARD_WEBHOOK_HASH", "md5")
    with pytest.raises(SystemExit):
        TrackerSettings.load()
    assert "TASKYARD_WEBHOOK_HASH" in capsys.readouterr().err


def test_lists_in_the_environment(settings: TrackerSettings) -> None:
    """Commas part them"""
    values = settings.model_dump()
    made = TrackerSettings.model_validate(
        {**values, "production_branches": "main, release", "stored_log_levels": "error,trace"}
    )
    assert made.production_branches == {"main", "release"}
    assert made.stored_log_levels == {"error", "trace"}


def test_push_without_after_is_no_push() -> None:
    """Only whole pushes count"""
    with pytest.raises(BadPush):
        Push.parse(b'{"ref":"refs/heads/master","repository":{"full_name":"a"}}')
