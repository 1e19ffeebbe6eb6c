"""Who sees what, and what every route has in common (spec: scheduler 1)."""

from typing import Any

import pytest
from flask import Flask

from chassis.database import Database
from chassis.errors import Unavailable
from chassis.identity import Kind, Principal
from chassis.testing.identity import KnownPrincipals


def ids(answer: tuple[int, Any]) -> list[str]:
    status, body = answer
    assert status == 200
    return [job["id"] for job in body["jobs"]]


def test_without_or_with_a_bad_credential(app: Flask) -> None:
    """spec: scheduler 1.6: the token is not echoed."""
    nobody = app.test_client()
    missing = nobody.get("/v1/jobs")
    assert missing.status_code == 401
    assert missing.json == {
        "faultcode": "Client",
        "faultstring": "Failed to validate access token: Authentication required",
        "debuginfo": None,
    }
    bad = nobody.get("/v1/jobs", headers={"X-Auth-Token": "hunter2"})
    assert bad.status_code == 401
    assert "hunter2" not in bad.text


def test_a_token_without_a_project(app: Flask, known: KnownPrincipals) -> None:
    """spec: scheduler 1.6."""
    headers = known.add_token("t", Principal(Kind.WORKER, 7, "machine"))
    assert app.test_client().get("/v1/jobs", headers=headers).status_code == 403


def test_a_token_in_the_header_of_openstack(app: Flask, known: KnownPrincipals) -> None:
    """spec: scheduler 1.6."""
    known.add_token("t", Principal(Kind.ACCOUNT, 3, "ada", tenant="3"))
    assert app.test_client().get("/v1/jobs", headers={"X-Auth-Token": "t"}).status_code == 200


def test_other_projects_are_not_visible(client: Any, other: Any) -> None:
    """spec: scheduler 1.6, 2.11."""
    job = client.job()
    assert ids(other.get("/v1/jobs")) == []
    for answer in (
        other.get(f"/v1/jobs/{job['id']}"),
        other.put(f"/v1/jobs/{job['id']}", {}),
        other.delete(f"/v1/jobs/{job['id']}"),
        other.post(f"/v1/jobs/{job['id']}/run"),
        other.get(f"/v1/jobs/{job['id']}/next"),
        other.get(f"/v1/jobs/{job['id']}/runs"),
    ):
        assert (answer[0], answer[1]["faultstring"]) == (404, f"Job not found [id={job['id']}]")


def test_an_admin_reaches_every_project_but_lists_the_own(client: Any, other: Any, admin: Any) -> None:
    """spec: scheduler 1.5, 1.6."""
    mine, foreign = client.job()["id"], other.job()["id"]
    assert ids(admin.get("/v1/jobs")) == []
    for yes in ("true", "T", "yes", "y", "ON", "1"):
        assert ids(admin.get("/v1/jobs", all_projects=yes)) == [mine, foreign]
    assert ids(admin.get("/v1/jobs", project_id="3")) == [mine]
    assert ids(admin.get("/v1/jobs", project_id="neq:3")) == [foreign]
    assert admin.put(f"/v1/jobs/{mine}", {"name": "x"})[0] == 202
    assert admin.delete(f"/v1/jobs/{mine}")[0] == 204


def test_arguments_of_a_normal_user(client: Any, other: Any) -> None:
    """spec: scheduler 1.5, Q26."""
    mine = client.job()["id"]
    other.job()
    status, body = client.get("/v1/jobs", all_projects="true")
    assert (status, body["faultstring"]) == (403, "Operation not allowed")
    for no in ("false", "0", "off", "", "N"):
        assert ids(client.get("/v1/jobs", all_projects=no)) == [mine]
    assert client.get("/v1/jobs", all_projects="perhaps")[0] == 400
    assert ids(client.get("/v1/jobs", project_id="4")) == [mine]
    assert client.get("/v1/aliases", all_projects="1")[0] == 403


def test_trailing_slashes_change_nothing(client: Any, unchecked: Any) -> None:
    """spec: scheduler 1.1: the contract names no slashes, so it is not asked."""
    job = client.job()
    assert unchecked.get("/v1/jobs/") == (200, {"jobs": [job]})
    assert unchecked.get(f"/v1/jobs/{job['id']}/") == (200, job)
    assert unchecked.post("/v1/jobs/", {"function_id": job["function_id"], "pattern": "* * * * *"})[0] == 201
    assert unchecked.delete(f"/v1/jobs/{job['id']}/")[0] == 204


@pytest.mark.parametrize("method", ["PATCH", "HEAD"])
def test_wrong_methods(client: Any, method: str) -> None:
    """spec: scheduler 1.1."""
    response = client.open(method, "/v1/jobs")
    assert response.status_code == 405
    assert response.content_type == "application/json"
    if method == "PATCH":
        assert response.json == {"faultcode": "Client", "faultstring": "Method Not Allowed", "debuginfo": None}


def test_unknown_paths(client: Any) -> None:
    """spec: scheduler 1.4."""
    assert client.get("/v1/jbos")[0] == 404


def test_version_documents(app: Flask) -> None:
    """spec: scheduler 5.8."""
    nobody = app.test_client()
    assert nobody.get("/v1").json == nobody.get("/v1/").json == {"uri": "http://localhost/v1"}
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "yard.example", "X-Forwarded-Prefix": "/scheduler/"}
    link = {"href": "https://yard.example/scheduler/v1", "target": "v1", "rel": "self"}
    assert nobody.get("/", headers=forwarded).json == {
        "versions": [{"id": "v1.0", "status": "CURRENT", "links": [link]}]
    }


def test_an_admin_sees_every_thing_by_its_id(client: Any, other: Any, admin: Any) -> None:
    """spec: scheduler 1.6: functions, versions, aliases, webhooks and executions; runtimes elsewhere."""
    function_id = client.package()
    client.post(f"/v1/functions/{function_id}/versions", {})
    client.post("/v1/aliases", {"name": "now", "function_id": function_id})
    webhook = client.post("/v1/webhooks", {"function_id": function_id})[1]["id"]
    execution = client.post("/v1/executions", {"function_id": function_id, "sync": False})[1]["id"]
    for path in (
        f"functions/{function_id}",
        f"functions/{function_id}/versions",
        f"functions/{function_id}/versions/1",
        "aliases/now",
        f"webhooks/{webhook}",
        f"executions/{execution}",
    ):
        assert admin.get(f"/v1/{path}") == client.get(f"/v1/{path}")
        assert other.get(f"/v1/{path}")[0] == 404
    assert admin.post(f"/v1/functions/{function_id}/versions", {})[0] == 404
    assert admin.delete(f"/v1/functions/{function_id}/versions/1")[0] == 404
    assert other.delete(f"/v1/executions/{execution}")[0] == 404
    assert admin.delete(f"/v1/executions/{execution}")[0] == 204


def test_an_alias_of_the_own_project_comes_first(client: Any, admin: Any) -> None:
    """spec: scheduler 1.6: two projects may have one of the same name."""
    client.post("/v1/aliases", {"name": "now", "function_id": client.function()})
    mine = admin.post("/v1/aliases", {"name": "now", "function_id": admin.function()})[1]
    assert admin.get("/v1/aliases/now") == (200, mine)


def test_lists_of_all_projects(client: Any, other: Any, admin: Any) -> None:
    """spec: scheduler 1.6, Q24, Q25."""
    for somebody in (client, other):
        function_id = somebody.function()
        somebody.post("/v1/aliases", {"name": "now", "function_id": function_id})
        somebody.post("/v1/webhooks", {"function_id": function_id})
        somebody.post("/v1/executions", {"function_id": function_id, "sync": False})
    for name, envelope in (
        ("functions", "functions"),
        ("aliases", "function_aliases"),
        ("webhooks", "webhooks"),
        ("executions", "executions"),
    ):

        def projects(caller: Any, name: str = name, envelope: str = envelope, **query: str) -> list[str]:
            return [item["project_id"] for item in caller.get(f"/v1/{name}", **query)[1][envelope]]

        assert projects(client) == projects(client, project_id="4") == projects(client, all_projects="false") == ["3"]
        assert client.get(f"/v1/{name}", all_projects="true")[0] == 403
        assert projects(admin) == []
        assert projects(admin, all_projects="yes") == ["3", "4"]
        assert projects(admin, project_id="4") == ["4"]


def test_every_error_has_three_keys(client: Any, unchecked: Any) -> None:
    """spec: scheduler 1.4, Q29: also where the reference sends one, or HTML."""
    for answer in (
        client.post("/v1/functions", {}),
        client.get("/v1/functions/x"),
        client.get("/v1/executions/x/log"),
        unchecked.post("/v1/webhooks/x/invoke"),
        unchecked.put("/v1/executions"),
        unchecked.get("/v1/nothing"),
    ):
        assert answer[0] >= 400
        assert set(answer[1]) == {"faultcode", "faultstring", "debuginfo"}
        assert (answer[1]["faultcode"], answer[1]["debuginfo"]) == ("Client", None)


def test_an_answer_without_a_body_has_no_type(client: Any) -> None:
    """spec: scheduler 1.1."""
    response = client.open("DELETE", f"/v1/functions/{client.function()}")
    assert (response.status_code, response.data) == (204, b"")
    assert "Content-Type" not in response.headers


def test_accept_is_not_looked_at(client: Any) -> None:
    """spec: scheduler 1.1."""
    response = client.open("GET", "/v1/jobs", headers={"Accept": "application/xml"})
    assert (response.status_code, response.content_type) == (200, "application/json")


def test_headers_of_a_caller_are_no_identity(app: Flask, known: KnownPrincipals) -> None:
    """spec: scheduler 1.6, Q41: the gate removes them, and nobody here would believe them."""
    claimed = {"X-Identity-Status": "Confirmed", "X-Roles": "admin", "X-Project-Id": "4", "X-User-Id": "1"}
    nobody = app.test_client(use_cookies=False)
    assert nobody.get("/v1/jobs", headers=claimed).status_code == 401
    ada = known.add_account(3, "ada")
    assert nobody.get("/v1/jobs?all_projects=1", headers={**claimed, **ada}).status_code == 403


def test_an_outage_says_nothing_of_itself(client: Any, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """spec: scheduler 1.4, Q28: no SQL, path or class of an error, and 503 for what may be tried again."""

    def away(*_: Any) -> Any:
        raise Unavailable("database")

    monkeypatch.setattr(type(database), "all", away)
    response = client.open("GET", "/v1/jobs")
    assert (response.status_code, response.json["faultcode"]) == (503, "Server")
    assert response.headers["Retry-After"]
    assert not any(word in response.text for word in ("SELECT", "psycopg", "/src/", "Traceback"))
