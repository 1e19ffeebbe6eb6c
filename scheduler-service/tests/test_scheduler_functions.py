"""Functions, versions and aliases (spec: scheduler 5.2, 5.3, 5.4)."""

import hashlib
import json
from typing import Any
from uuid import uuid4

import pytest

from chassis.database import Database

PYTHON = "b5b1a4f0-6a9d-4e0c-8f57-2f1d7f0c3a11"
POLLER = {"source": "poller", "user": "ada", "config": {"model": "CMIP5"}}
HTTP = {"source": "http", "url": "https://example.org/hook"}
STILL = "The function is still associated with running job(s)."


def text(answer: tuple[int, Any]) -> tuple[int, str]:
    return answer[0], answer[1]["faultstring"]


def test_a_function_of_an_own_source(client: Any) -> None:
    """spec: scheduler 5.2; design 11: code is an object, and a text in lists."""
    status, function = client.post("/v1/functions", {"name": "remind", "code": POLLER, "colour": "red"})
    assert status == 201
    assert {name: function[name] for name in function if name not in ("id", "created_at")} == {
        "name": "remind",
        "description": None,
        "cpu": 100,
        "memory_size": 33554432,
        "timeout": 5,
        "runtime_id": None,
        "code": POLLER,
        "entry": None,
        "count": 0,
        "latest_version": 0,
        "project_id": "3",
        "updated_at": None,
    }
    assert client.get(f"/v1/functions/{function['id']}") == (200, function)
    listed = client.get("/v1/functions")[1]["functions"]
    assert [{**item, "code": json.loads(item["code"])} for item in listed] == [function]


def test_a_form_works_as_well(client: Any) -> None:
    """spec: scheduler 5.2."""
    status, function = client.post("/v1/functions", data={"code": json.dumps(HTTP), "timeout": "9", "cpu": "300"})
    assert (status, function["code"], function["timeout"], function["cpu"]) == (201, HTTP, 9, 300)


def test_a_package_is_stored(client: Any, unchecked: Any, admin: Any) -> None:
    """spec: scheduler 1.6, 5.2."""
    function_id = client.package("def main(**kwargs): return 7")
    function = client.get(f"/v1/functions/{function_id}")[1]
    response = unchecked.open("GET", f"/v1/functions/{function_id}", query_string={"download": "true"})
    assert response.content_type == "application/zip"
    assert response.headers["Content-Disposition"] == f'attachment; filename="{function_id}"'
    assert function["code"] == {"source": "package", "md5sum": hashlib.md5(response.data).hexdigest()}
    assert (function["entry"], function["runtime_id"]) == ("main.main", PYTHON)
    assert function["updated_at"] is not None
    assert text(admin.delete(f"/v1/functions/{function_id}")) == (
        403,
        "Function can only be deleted by its owner.",
    )


def test_an_image_function_is_stored(client: Any) -> None:
    """spec: scheduler 5.2."""
    function_id = client.function({"source": "image", "image": "hello"}, entry="x.y")
    function = client.get(f"/v1/functions/{function_id}")[1]
    assert (function["entry"], function["code"]) == (None, {"source": "image", "image": "hello"})
    assert client.get(f"/v1/functions/{function_id}", download="true")[0] == 405


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({}, 400, "Required param is missing. Required: {'code'}"),
        ({"code": "{"}, 400, "Invalid code: it must be a JSON object."),
        ({"code": {"source": "swift"}}, 400, "Swift object not supported."),
        ({"code": {"source": "x"}}, 400, "Invalid code source specified, available sources: "),
        ({"code": {"source": "package"}}, 400, '"runtime_id" must be specified.'),
        ({"code": {"source": "package"}, "runtime_id": str(uuid4())}, 404, "Runtime not found [id="),
        ({"code": {"source": "package"}, "runtime_id": PYTHON}, 400, '"package" must be specified.'),
        ({"code": {"source": "image"}}, 400, '"image" must be specified.'),
        ({"code": HTTP, "cpu": "x"}, 400, "Invalid cpu resource specified. An integer is required."),
        ({"code": HTTP, "memory_size": 1}, 400,
         "memory resource limitation not within the allowable range: 33554432 ~ 134217728(bytes)."),
        ({"code": HTTP, "timeout": 301}, 400,
         "timeout resource limitation not within the allowable range: 1 ~ 300(seconds)."),
        ({"code": {"source": "poller"}}, 400, 'Invalid code: "user" must be given.'),
        ({"code": {"source": "task"}}, 400, 'Invalid code: "project" must be given.'),
        ({"code": {"source": "transfer", "type": "COPY"}}, 400, 'Invalid code: "src_siteid" must be given.'),
        ({"code": {**HTTP, "url": "ftp://example.org"}}, 400, 'Invalid code: "url" must be'),
        ({"code": {**HTTP, "url": "http://a:b@example.org"}}, 400, 'Invalid code: "url" must be'),
        ({"code": {**HTTP, "url": "http://example.org/\r\nX: y"}}, 400, 'Invalid code: "url" must be'),
        ({"code": {**HTTP, "url": "http://[::1"}}, 400, 'Invalid code: "url" must be'),
        ({"code": {**HTTP, "method": "BREW"}}, 400, 'Invalid code: "method" must be one of'),
        ({"code": {**HTTP, "headers": {"Host": "x"}}}, 400, 'Invalid code: "headers" must be'),
        ({"code": {**HTTP, "headers": {"A": "b\nc"}}}, 400, 'Invalid code: "headers" must be'),
        ({"code": {**HTTP, "retries": 6}}, 400, 'Invalid code: "retries" must be'),
        ({"code": {**HTTP, "expected_status": []}}, 400, 'Invalid code: "expected_status" must be'),
        ({"code": {**HTTP, "body": "x", "json": {}}}, 400, 'Invalid code: "body" must be'),
        ({"code": {**POLLER, "config": {"a": "\x00"}}}, 400, "Invalid code: the character U+0000 is not accepted."),
    ],
)  # fmt: skip
def test_refused_functions(client: Any, fields: dict[str, Any], status: int, message: str) -> None:
    """spec: scheduler 5.2; design 11."""
    answer = text(client.post("/v1/functions", fields))
    assert (answer[0], answer[1][: len(message)]) == (status, message)


def test_refused_packages(client: Any) -> None:
    """spec: scheduler 5.2."""

    def create(content: bytes, **code: str) -> tuple[int, str]:
        from io import BytesIO

        data = {"code": json.dumps({"source": "package", **code}), "runtime_id": PYTHON}
        return text(client.post("/v1/functions", data={**data, "package": (BytesIO(content), "x.zip")}))

    assert create(b"no zip") == (400, "Package is not a valid ZIP package.")
    assert create(b"no zip", md5sum="0" * 32) == (400, "Package md5 mismatch.")


def test_functions_of_others_do_not_exist(client: Any, other: Any) -> None:
    """spec: scheduler 1.6, 5.2."""
    function_id = client.function()
    missing = (404, f"Function not found [id={function_id}]")
    assert text(other.get(f"/v1/functions/{function_id}")) == missing
    assert text(other.put(f"/v1/functions/{function_id}", {"name": "x"})) == missing
    assert text(other.delete(f"/v1/functions/{function_id}")) == missing
    assert text(client.get("/v1/functions/seven")) == (404, "Function not found [id=seven]")


def test_changes_while_jobs_count_on_the_function(client: Any) -> None:
    """spec: scheduler 5.2, 9 step 10, Q10."""
    function_id = client.function()
    job = client.job(function_id=function_id)
    path = f"/v1/functions/{function_id}"
    assert client.put(path, {"name": "x", "timeout": 7, "description": "d"})[0] == 200
    client.put(f"/v1/jobs/{job['id']}", {"status": "paused"})
    assert text(client.put(path, {"cpu": 200})) == (403, STILL)
    assert text(client.put(path, {"code": {**POLLER, "user": "bob"}})) == (403, STILL)
    assert text(client.delete(path)) == (403, STILL)
    client.put(f"/v1/jobs/{job['id']}", {"status": "cancelled"})
    assert client.put(path, {"code": {**POLLER, "user": "bob"}})[1]["code"]["user"] == "bob"
    assert client.delete(path)[0] == 204
    assert client.get(f"/v1/jobs/{job['id']}")[1]["function_id"] == function_id


def test_changes_of_code(client: Any) -> None:
    """spec: scheduler 5.2."""
    own, image = client.function(), client.function({"source": "image", "image": "hello"})
    assert text(client.put(f"/v1/functions/{own}", {"code": HTTP})) == (
        400,
        "The function code type can not be changed.",
    )
    assert text(client.put(f"/v1/functions/{image}", {"code": {"source": "image", "image": "x"}})) == (
        400,
        "The image type function code can not be changed.",
    )


def test_a_new_package_and_its_versions(client: Any, unchecked: Any, zipped: Any) -> None:
    """spec: scheduler 5.3; 6.4: the client library sends the members of code as fields of their own."""
    function_id = client.package("a = 1")
    path = f"/v1/functions/{function_id}"
    status, first = client.post(f"{path}/versions", {"description": "one"})
    assert (status, first["version_number"], first["count"], first["description"]) == (201, 1, 0, "one")
    assert text(client.post(f"{path}/versions", {})) == (
        403,
        "Function package not changed since the latest version 1.",
    )
    assert text(client.put(path, data={"source": "package", "package": zipped("a = 1")})) == (
        400,
        "The function code checksum is not changed.",
    )
    assert client.put(path, data={"source": "package", "package": zipped("a = 2")})[0] == 200
    assert client.post(f"{path}/versions", {"description": None})[1]["version_number"] == 2
    assert [item["version_number"] for item in client.get(f"{path}/versions")[1]["function_versions"]] == [1, 2]
    assert client.get(f"{path}/versions/1") == (200, first)
    old = unchecked.open("GET", f"{path}/versions/1", query_string={"download": "1"}).data
    assert old != unchecked.open("GET", path, query_string={"download": "1"}).data
    assert client.delete(f"{path}/versions/2")[0] == 204
    assert client.get(path)[1]["latest_version"] == 1
    assert client.get(f"{path}/versions/2")[0] == 404
    assert text(client.post(f"{path}/versions")) == (400, 'Missing argument: "body"')


def test_versions_in_use(client: Any) -> None:
    """spec: scheduler 5.3."""
    function_id = client.package()
    path = f"/v1/functions/{function_id}/versions"
    client.post(path, {})
    job = client.job(function_id=function_id, function_version=1)
    assert text(client.delete(f"{path}/1")) == (403, "The function version is still associated with running job(s).")
    client.delete(f"/v1/jobs/{job['id']}")
    client.post("/v1/aliases", {"name": "one", "function_id": function_id, "function_version": 1})
    assert client.delete(f"{path}/1")[0] == 403
    client.delete("/v1/aliases/one")
    assert client.delete(f"{path}/1")[0] == 204
    assert text(client.post(f"/v1/functions/{client.function()}/versions", {}))[0] == 403


def test_aliases(client: Any, other: Any) -> None:
    """spec: scheduler 5.4."""
    one, two = client.function(), client.function()
    status, alias = client.post("/v1/aliases", {"name": "now", "function_id": one, "function_version": None})
    assert (status, alias["function_version"], alias["description"]) == (201, 0, None)
    assert client.get("/v1/aliases/now") == (200, alias)
    assert client.get("/v1/aliases") == (200, {"function_aliases": [alias]})
    assert other.get("/v1/aliases")[1] == {"function_aliases": []}
    for double in ({"name": "now", "function_id": two}, {"name": "then", "function_id": one}):
        assert text(client.post("/v1/aliases", double))[1].startswith("Duplicate entry for function_aliases: [")
    assert client.put("/v1/aliases/now", {"function_id": two, "function_version": "0"})[1]["function_id"] == two
    assert text(client.post("/v1/aliases", {"name": "x", "function_id": str(uuid4())}))[0] == 404
    assert text(client.post("/v1/aliases", {"name": "x"})) == (
        400,
        "Required param is missing. Required: {'function_id'}",
    )
    for missing in (client.get("/v1/aliases/x"), client.put("/v1/aliases/x", {}), other.delete("/v1/aliases/now")):
        assert missing[0] == 404


def test_an_alias_that_an_active_job_uses_stays(client: Any) -> None:
    """spec: scheduler Q9; a function with an alias stays, too."""
    function_id = client.function()
    client.post("/v1/aliases", {"name": "now", "function_id": function_id})
    job = client.job(function_alias="now")
    assert text(client.delete("/v1/aliases/now")) == (
        403,
        "The function alias is still associated with running job(s).",
    )
    client.put(f"/v1/jobs/{job['id']}", {"status": "cancelled"})
    assert text(client.delete(f"/v1/functions/{function_id}")) == (
        403,
        "The function is still associated with function alias(es).",
    )
    assert client.delete("/v1/aliases/now")[0] == 204
    assert client.delete(f"/v1/functions/{function_id}")[0] == 204


def test_an_idempotency_key_works_with_packages(client: Any, zipped: Any) -> None:
    """design 11: the form is read once by the key and once by the view."""
    form = {"code": '{"source": "package"}', "runtime_id": PYTHON}
    boundary = "multipart/form-data; boundary=same"
    parts = [f'--same\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}' for name, value in form.items()]
    parts.append('--same\r\nContent-Disposition: form-data; name="package"; filename="x.zip"\r\n\r\n')
    body = "\r\n".join(parts).encode() + zipped("a = 1")[0].read() + b"\r\n--same--\r\n"
    headers = {"Idempotency-Key": "k"}
    first = client.post("/v1/functions", data=body, content_type=boundary, headers=headers)
    assert first[0] == 201
    assert client.post("/v1/functions", data=body, content_type=boundary, headers=headers) == first
    assert len(client.get("/v1/functions")[1]["functions"]) == 1


def test_no_more_than_ten_versions(client: Any, zipped: Any) -> None:
    """spec: scheduler 5.3."""
    function_id = client.package("a = 0")
    path = f"/v1/functions/{function_id}"
    for number in range(1, 11):
        assert client.post(f"{path}/versions", {})[1]["version_number"] == number
        assert client.put(path, data={"package": zipped(f"a = {number}")})[0] == 200
    assert text(client.post(f"{path}/versions", {})) == (403, "Can not exceed maximum number(10) of versions")


def test_what_a_removed_version_was_can_be_frozen_again(client: Any) -> None:
    """spec: scheduler 5.3: the newest lowers the number by one, whether that one is there or not."""
    function_id = client.package()
    path = f"/v1/functions/{function_id}/versions"
    client.post(path, {})
    assert client.delete(f"{path}/1")[0] == 204
    assert client.post(path, {})[1]["version_number"] == 1


def test_the_newest_version_is_the_measure_even_where_it_is_gone(client: Any, zipped: Any) -> None:
    function_id = client.package("a = 1")
    path = f"/v1/functions/{function_id}"
    for number in (2, 3):
        client.post(f"{path}/versions", {})
        client.put(path, data={"package": zipped(f"a = {number}")})
    client.post(f"{path}/versions", {})
    assert client.delete(f"{path}/versions/2")[0] == client.delete(f"{path}/versions/3")[0] == 204
    assert client.get(path)[1]["latest_version"] == 2
    assert client.post(f"{path}/versions", {})[1]["version_number"] == 3


def test_a_deleted_function_takes_its_versions_and_packages_along(client: Any, database: Database) -> None:
    """spec: scheduler 5.2."""
    function_id = client.package()
    client.post(f"/v1/functions/{function_id}/versions", {})
    assert client.delete(f"/v1/functions/{function_id}")[0] == 204
    assert client.get(f"/v1/functions/{function_id}/versions")[0] == 404
    assert database.value("SELECT count(*) FROM function_package") == 0
    assert database.value("SELECT count(*) FROM function_version") == 0
