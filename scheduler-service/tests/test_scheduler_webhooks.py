"""``/v1/webhooks`` and their invocation without a credential (spec: scheduler 1.6, 5.5)."""

import uuid
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient

from chassis.database import Database

UNKNOWN = str(uuid.UUID(int=7))
Invoke = Callable[..., tuple[int, Any]]


def hook(client: Any, **fields: Any) -> Any:
    """Create a webhook, by default on a new function."""
    if "function_alias" not in fields:
        fields.setdefault("function_id", client.function())
    status, webhook = client.post("/v1/webhooks", fields)
    assert status == 201, webhook
    return webhook


@pytest.fixture
def invoke(app: Flask, database: Database) -> Invoke:
    """Call a webhook without any credential; give the status, and the execution or the refusal."""
    plain = FlaskClient(app, app.response_class, use_cookies=False)

    def call(path: str, **sent: Any) -> tuple[int, Any]:
        response = plain.post(path, **sent)
        if response.status_code != 202:
            return response.status_code, response.json
        key = {"id": response.json["execution_id"]}  # type: ignore[index]
        return 202, database.one("SELECT * FROM execution WHERE id = %(id)s", key)

    return call


def path_of(webhook: Any) -> str:
    return f"/v1/webhooks/{webhook['id']}/invoke"


def test_a_webhook_by_id(client: Any) -> None:
    """A webhook without a version stands for the current code."""
    function_id = client.function()
    webhook = hook(client, function_id=function_id, function_version=None, description="on push")
    assert webhook["webhook_url"] == f"http://localhost/v1/webhooks/{webhook['id']}/invoke"
    kept = ("function_id", "function_alias", "function_version", "description", "project_id", "updated_at")
    assert [webhook[name] for name in kept] == [function_id, None, 0, "on push", "3", None]
    assert client.get(f"/v1/webhooks/{webhook['id']}") == (200, webhook)
    assert client.get("/v1/webhooks") == (200, {"webhooks": [webhook]})


def test_the_address_is_that_of_the_gate(client: Any) -> None:
    """spec: scheduler 5.5, 5.8."""
    webhook = hook(client)
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "yard.example"}
    answer = client.open("GET", f"/v1/webhooks/{webhook['id']}", headers=forwarded)
    assert answer.json["webhook_url"] == f"https://yard.example{path_of(webhook)}"


def test_an_alias_wins_and_stands_alone(client: Any) -> None:
    """spec: scheduler 5.5."""
    function_id = client.function()
    client.post("/v1/aliases", {"name": "now", "function_id": function_id})
    webhook = hook(client, function_id=function_id, function_alias="now", function_version=3)
    assert [webhook[name] for name in ("function_id", "function_alias", "function_version")] == [None, "now", None]


@pytest.mark.parametrize(
    ("fields", "status", "text"),
    [
        ({}, 400, "Either function_alias or function_id must be provided."),
        ({"function_id": UNKNOWN}, 404, f"Function not found [id={UNKNOWN}]"),
        ({"function_alias": "none"}, 404, "FunctionAlias not found [name=none]"),
        ({"name": "x"}, 400, "Unknown attribute for argument webhook: name"),
        ({"function_id": "x"}, 400, "Expected a uuid but received x."),
        ({"webhook_url": None}, 400, "Cannot set read only field."),
    ],
)
def test_refused_webhooks(client: Any, fields: dict[str, Any], status: int, text: str) -> None:
    """spec: scheduler 5.5."""
    answer = client.post("/v1/webhooks", fields)
    assert answer[0] == status
    assert text in answer[1]["faultstring"]


def test_versions_belong_to_packages(client: Any) -> None:
    """spec: scheduler 5.5."""
    function_id = client.package()
    missing = client.post("/v1/webhooks", {"function_id": function_id, "function_version": 1})
    assert missing[0] == 404
    client.post(f"/v1/functions/{function_id}/versions", {})
    assert hook(client, function_id=function_id, function_version="1")["function_version"] == 1


def test_changes(client: Any) -> None:
    """The client library sends nulls, and the version as a text (spec: scheduler 6.4)."""
    first, second = client.function(), client.function()
    client.post("/v1/aliases", {"name": "now", "function_id": first})
    webhook = hook(client, function_alias="now")
    path = f"/v1/webhooks/{webhook['id']}"

    def put(**fields: Any) -> list[Any]:
        status, body = client.put(path, fields)
        assert status == 200, body
        return [body[name] for name in ("function_id", "function_alias", "function_version", "description")]

    assert put(description="d", function_id=None, function_version=None) == [None, "now", None, "d"]
    assert client.put(path, {"function_version": "0"})[0] == 400
    assert put(function_id=second, function_version="0") == [second, None, 0, "d"]
    assert put(function_alias="now") == [None, "now", None, "d"]
    assert client.put(path, {"function_id": UNKNOWN})[0] == 404
    assert client.get(path)[1]["updated_at"] is not None


def test_others_see_nothing(client: Any, other: Any, admin: Any) -> None:
    """spec: scheduler 1.6, 5.5."""
    webhook = hook(client)
    path = f"/v1/webhooks/{webhook['id']}"
    for answer in (other.get(path), other.put(path, {"description": "x"}), other.delete(path)):
        assert (answer[0], answer[1]["faultstring"]) == (404, f"Webhook not found [id={webhook['id']}]")
    assert other.get("/v1/webhooks") == (200, {"webhooks": []})
    assert other.get("/v1/webhooks", all_projects="true")[0] == 403
    assert [item["id"] for item in admin.get("/v1/webhooks", all_projects="true")[1]["webhooks"]] == [webhook["id"]]
    assert other.post("/v1/webhooks", {"function_id": webhook["function_id"]})[0] == 404
    assert admin.post("/v1/webhooks", {"function_id": webhook["function_id"]})[0] == 404
    assert admin.put(path, {"function_id": admin.function()})[0] == 404
    assert admin.put(path, {"description": "seen"})[0] == 200
    assert admin.delete(path)[0] == 204


def test_bad_ids(client: Any) -> None:
    for method in ("GET", "DELETE"):
        assert client.request(method, "/v1/webhooks/x")[0] == 400
        assert client.request(method, f"/v1/webhooks/{UNKNOWN}")[0] == 404


def test_an_invocation(client: Any, invoke: Invoke, sent: Any) -> None:
    """spec: scheduler 5.5."""
    webhook = hook(client)
    status, execution = invoke(path_of(webhook))
    assert status == 202
    assert (execution["description"], execution["sync"], execution["status"]) == (
        f"Created by Webhook {webhook['id']}",
        False,
        "running",
    )
    assert (execution["project_id"], execution["owner_id"], execution["input"]) == ("3", 3, "{}")
    assert str(execution["function_id"]) == webhook["function_id"]
    assert client.get(f"/v1/functions/{webhook['function_id']}")[1]["count"] == 1
    [[told]] = [event["executions"] for event in sent("scheduler.executions.started")]
    assert (told["execution_id"], told["job_id"]) == (str(execution["id"]), None)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"query_string": {"a": "1"}}, {"a": "1"}),
        ({"data": {"a": "1", "b": "2"}}, {"a": "1", "b": "2"}),
        ({"json": {"a": 1, "b": {"c": [None]}}}, {"a": 1, "b": {"c": [None]}}),
        ({"query_string": {"a": "1"}, "json": {"a": 2, "b": [3]}}, {"a": ["1", 2], "b": [3]}),
        ({"query_string": "a=1&a=2"}, {"a": ["1", "2"]}),
        ({"json": [1, 2]}, {}),
        ({"data": b"{broken", "content_type": "application/json"}, {}),
        ({"data": b'{"a": "\\u0000"}', "content_type": "text/plain"}, {"a": "\0"}),
    ],
)
def test_the_input_of_an_invocation(client: Any, invoke: Invoke, sent: dict[str, Any], expected: Any) -> None:
    """spec: scheduler 5.5."""
    status, execution = invoke(path_of(hook(client)), **sent)
    assert status == 202
    assert orjson.loads(execution["input"]) == expected


def test_an_invocation_follows_its_alias(client: Any, invoke: Invoke) -> None:
    """spec: scheduler 5.5."""
    first, second = client.function(), client.function()
    client.post("/v1/aliases", {"name": "now", "function_id": first})
    path = path_of(hook(client, function_alias="now"))
    client.put("/v1/aliases/now", {"function_id": second})
    execution = invoke(path)[1]
    assert (str(execution["function_id"]), execution["function_alias"]) == (second, None)


def test_refused_invocations(client: Any, invoke: Invoke, database: Database) -> None:
    """No token for exactly one spelling of the address (spec: scheduler 1.6)."""
    webhook = hook(client)
    assert invoke(f"/v1/webhooks/{UNKNOWN}/invoke")[0] == 404
    assert invoke(f"{path_of(webhook)}/")[0] == 401
    assert invoke(f"/v1/webhooks/{webhook['id'].upper()}/invoke")[0] == 401
    assert invoke("/v1/webhooks/x/invoke")[0] == 401
    assert client.post("/v1/webhooks/x/invoke")[0] == 404
    assert client.get(path_of(webhook))[0] == 404
    assert invoke(path_of(webhook), json={"a": "x" * 65_536})[0] == 400
    assert database.value("SELECT count(*) FROM execution") == 0


def test_a_repeated_invocation_runs_once(client: Any, invoke: Invoke) -> None:
    path, key = path_of(hook(client)), {"Idempotency-Key": "delivery 7"}
    first, second = (invoke(path, json={"a": 1}, headers=key)[1]["id"] for _ in range(2))
    assert first == second
    assert invoke(path, json={"a": 2}, headers=key)[0] == 422


def test_what_a_webhook_uses_stays(client: Any) -> None:
    """spec: scheduler 5.2, 5.3, 5.4."""
    function_id = client.package()
    client.post(f"/v1/functions/{function_id}/versions", {})
    client.post("/v1/aliases", {"name": "now", "function_id": function_id})
    by_alias = hook(client, function_alias="now")
    refused = client.delete("/v1/aliases/now")
    text = "The function alias is still associated with webhook(s)."
    assert (refused[0], refused[1]["faultstring"]) == (403, text)
    client.delete(f"/v1/webhooks/{by_alias['id']}")
    assert client.delete("/v1/aliases/now")[0] == 204
    by_id = hook(client, function_id=function_id, function_version=1)
    refused = client.delete(f"/v1/functions/{function_id}")
    assert (refused[0], refused[1]["faultstring"]) == (403, "The function is still associated with webhook(s).")
    refused = client.delete(f"/v1/functions/{function_id}/versions/1")
    text = "The function version is still associated with webhook(s)."
    assert (refused[0], refused[1]["faultstring"]) == (403, text)
    client.delete(f"/v1/webhooks/{by_id['id']}")
    assert client.delete(f"/v1/functions/{function_id}")[0] == 204


def test_addresses_cannot_be_guessed(client: Any) -> None:
    """spec: scheduler 5.5, Q40: 122 random bits, whatever the client wishes for."""
    function_id = client.function()
    made = [hook(client, function_id=function_id, id=UNKNOWN)["id"] for _ in range(3)]
    assert {uuid.UUID(each).version for each in made} == {4}
    assert len({*made, UNKNOWN}) == 4
