"""POST: bodies of every kind, creation, transitions, size limits (spec: poller 1, 2, 3, 4)."""

import io
from typing import Any

import pytest

KIB = 1024


def test_a_form_creates_a_job_with_flat_fields(poller: Any) -> None:
    status, job = poller.post(request="new", user="ada", model="CMIP5", frequency="decadal", foo="bar", number="1")
    assert status == 200
    assert list(job) == [
        "job_id", "user", "status", "model", "frequency", "foo", "number", "created_at", "updated_at",
    ]  # fmt: skip
    assert (job["user"], job["status"], job["number"]) == ("ada", "new", "1")
    assert poller.job(job["job_id"]) == job


def test_a_job_may_have_no_configuration(poller: Any) -> None:
    _, job = poller.post(request="new", user="ada")
    assert set(job) == {"job_id", "user", "status", "created_at", "updated_at"}


def test_multipart_is_read_like_a_form(poller: Any) -> None:
    body = {"request": "new", "user": "zoë", "model": "CMIP5", "config_options": '{"deep": {"er": [1, 2.50]}}'}
    response = poller.client.post("/poller/update/", data=body, content_type="multipart/form-data")
    assert response.status_code == 200
    assert (response.json["user"], response.json["model"]) == ("zoë", "CMIP5")
    assert response.json["deep"] == {"er": [1, 2.5]}


def test_json_keeps_types_order_and_large_numbers(poller: Any) -> None:
    raw = b'{"request":"new","user":"u","z":1,"a":1.0,"n":null,"t":true,"big":123456789012345678901234567890,"e":1e22}'
    response = poller.client.post("/poller/update/", data=raw, content_type="application/json")
    assert response.status_code == 200
    fields = '"z":1,"a":1.0,"n":null,"t":true,"big":123456789012345678901234567890,"e":1e+22'
    assert fields in response.get_data(as_text=True)
    read = poller.client.get("/poller/update/", query_string={"request": "job", "job_id": response.json["job_id"]})
    assert read.data == response.data


def test_config_options_are_merged_into_the_flat_fields(poller: Any) -> None:
    _, of_form = poller.post(request="new", user="ada", foo="bar", config_options='{"model": "CMIP5", "n": 1}')
    _, of_json = poller.json(request="new", user="ada", foo="bar", config_options={"model": "CMIP5", "n": 1})
    for job in (of_form, of_json):
        assert (job["foo"], job["model"], job["n"]) == ("bar", "CMIP5", 1)
        assert "config_options" not in job


@pytest.mark.parametrize("name", ["job_id", "status", "created_at", "updated_at", "config_options", "request", "user"])
def test_reserved_names_are_no_configuration(poller: Any, name: str) -> None:
    value: object = {} if name == "config_options" else "x"
    assert poller.json(request="new", user="ada", config_options={name: value})[0] == 400
    if name in ("job_id", "status", "created_at", "updated_at"):
        status, answer = poller.post(request="new", user="ada", **{name: "1"})
        assert (status, answer) == (400, {"error": f"'{name}' cannot be a configuration field"})


def test_a_field_flat_and_in_config_options_is_given_twice(poller: Any) -> None:
    status, answer = poller.post(request="new", user="ada", model="a", config_options='{"model": "a"}')
    assert status == 400
    assert "twice" in answer["error"]


BAD_BODIES = {
    "empty": (b"", None),
    "form without request": (b"user=ada", "application/x-www-form-urlencoded"),
    "a form field twice": (b"request=new&user=ada&a=1&a=1", "application/x-www-form-urlencoded"),
    "not a form": (b"request=new&user=ada", "text/plain"),
    "form without a type": (b"request=new&user=ada", ""),
    "not JSON": (b"{request: new}", "application/json"),
    "no JSON object": (b'["new"]', "application/json"),
    "JSON field twice": (b'{"request":"new","user":"ada","a":1,"a":2}', "application/json"),
    "inner JSON field twice": (b'{"request":"new","user":"ada","a":{"b":1,"b":2}}', "application/json"),
    "option twice": (b'{"request":"new","user":"ada","config_options":{"b":1,"b":2}}', "application/json"),
    "options as text in JSON": (b'{"request":"new","user":"ada","config_options":"{}"}', "application/json"),
    "options null": (b'{"request":"new","user":"ada","config_options":null}', "application/json"),
    "NaN": (b'{"request":"new","user":"ada","a":NaN}', "application/json"),
    "infinite": (b'{"request":"new","user":"ada","a":1e400}', "application/json"),
    "half a character": (b'{"request":"new","user":"ada","a":"\\ud800"}', "application/json"),
    "Latin-1": (b'{"request":"new","user":"ad\xe4"}', "application/json"),
    "nested without end": (
        b'{"request":"new","user":"ada","a":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        "application/json",
    ),
    "request no text": (b'{"request":["new"],"user":"ada"}', "application/json"),
    "user a number": (b'{"request":"new","user":1}', "application/json"),
    "user null": (b'{"request":"all","status":"new","user":null}', "application/json"),
    "job_id true": (b'{"request":"complete","job_id":true}', "application/json"),
    "job_id a fraction": (b'{"request":"complete","job_id":1.0}', "application/json"),
    "no multipart": (b"nonsense", "multipart/form-data; boundary=x"),
}


@pytest.mark.parametrize(("raw", "content_type"), BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_a_bad_body_is_refused_and_changes_nothing(poller: Any, sent: Any, raw: bytes, content_type: str) -> None:
    response = poller.client.post("/poller/update/", data=raw, content_type=content_type)
    assert response.status_code == 400
    assert list(response.json) == ["error"]
    assert sent() == []


BAD = {
    "no request": {},
    "unknown request": {"request": "delete"},
    "job by POST": {"request": "job", "job_id": 1},
    "next without claim": {"request": "next"},
    "next with another claim": {"request": "next", "claim": 0},
    "new without user": {"request": "new", "a": 1},
    "new with an empty user": {"request": "new", "user": ""},
    "new with a long user": {"request": "new", "user": "u" * 201},
    "options no JSON": {"request": "new", "user": "ada", "config_options": "{"},
    "options no object": {"request": "new", "user": "ada", "config_options": "[]"},
    "empty field name": {"request": "new", "user": "ada", "": "x"},
    "long field name": {"request": "new", "user": "ada", "n" * 101: "x"},
    "status without job": {"request": "complete"},
    "status of a word": {"request": "complete", "job_id": "x"},
    "status of an unknown job": {"request": "complete", "job_id": 99},
    "all without status": {"request": "all"},
    "all with an unknown status": {"request": "all", "status": "done"},
    "all with a mistyped user": {"request": "all", "status": "failed", "usr": "ada"},
}


@pytest.mark.parametrize("parameters", BAD.values(), ids=BAD.keys())
def test_what_is_wrong_is_said(poller: Any, parameters: dict[str, object]) -> None:
    job_id = poller.create()
    status, answer = poller.post(**parameters)
    assert status == 400
    assert list(answer) == ["error"]
    assert poller.job(job_id)["status"] == "new"


def test_parameters_in_the_url_of_a_post_are_refused(poller: Any) -> None:
    job_id = poller.create()
    response = poller.client.post("/poller/update/?user=bob", data={"request": "all", "status": "failed"})
    assert response.status_code == 400
    assert poller.job(job_id)["status"] == "new"


def test_files_are_refused(poller: Any) -> None:
    body = {"request": "new", "user": "ada", "f": (io.BytesIO(b"x"), "x.txt")}
    response = poller.client.post("/poller/update/", data=body, content_type="multipart/form-data")
    assert (response.status_code, response.json["error"]) == (400, "files are not accepted: send plain form fields")


def test_limits_are_accepted_and_what_is_beyond_is_refused(poller: Any) -> None:
    assert poller.post(request="new", user="ü" * 200, **{"ñ" * 100: "x"})[0] == 200
    two_hundred = {f"f{n}": "x" for n in range(200)}
    assert poller.post(request="new", user="ada", **two_hundred)[0] == 200
    assert poller.post(request="new", user="ada", **two_hundred, one_more="x")[0] == 400
    assert poller.json(request="new", user="ada", one_more="x", config_options=two_hundred)[0] == 400
    most = "x" * (64 * KIB - len('{"f":""}'))
    assert poller.post(request="new", user="ada", f=most)[0] == 200
    status, answer = poller.post(request="new", user="ada", f=most + "x")
    assert (status, "65536 bytes" in answer["error"]) == (400, True)


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_many_form_fields_are_too_many_fields_not_too_long_a_body(poller: Any, content_type: str) -> None:
    body = {"request": "new", "user": "ada", **{f"f{n}": "x" for n in range(1500)}}
    response = poller.client.post("/poller/update/", data=body, content_type=content_type)
    assert response.status_code == 400
    assert "200" in response.json["error"]


PART = '--x\r\nContent-Disposition: form-data; name="f"\r\n\r\n{}\r\n--x--\r\n'
LONG = "x" * (KIB * KIB)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (f"request=new&user=ada&f={LONG}", "application/x-www-form-urlencoded"),
        (PART.format(LONG), "multipart/form-data; boundary=x"),
        (f'{{"f":"{LONG}"}}', "application/json"),
    ],
    ids=["form", "multipart", "json"],
)
def test_an_over_long_body_is_413(poller: Any, body: str, content_type: str) -> None:
    response = poller.client.post("/poller/update/", data=body, content_type=content_type)
    assert response.status_code == 413
    assert list(response.json) == ["error"]


# -- idempotency


@pytest.mark.parametrize("kind", ["data", "json"])
def test_a_key_creates_one_job_however_often_it_is_sent(poller: Any, sent: Any, kind: str) -> None:
    """DESIGN 11, Idempotency-Key on every creating POST."""

    def create(key: str, **fields: str) -> Any:
        body: dict[str, Any] = {kind: {"request": "new", "user": "ada", **fields}}
        return poller.client.post("/poller/update/", headers={"Idempotency-Key": key}, **body)

    first, again = create("k", model="CMIP5"), create("k", model="CMIP5")
    assert (again.status_code, again.data) == (200, first.data)
    assert len(sent()) == 1
    assert create("k", model="CMIP6").status_code == 422
    assert create("other", model="CMIP5").json["job_id"] != first.json["job_id"]


# -- transitions

STATUSES = ("new", "in_progress", "complete", "failed")
ALLOWED = {
    ("new", "in_progress"), ("new", "complete"), ("new", "failed"), ("in_progress", "complete"),
    ("in_progress", "failed"),
}  # fmt: skip


def at_status(poller: Any, status: str) -> int:
    job_id: int = poller.create()
    if status != "new":
        poller.move(job_id, status)
    return job_id


@pytest.mark.parametrize("now", STATUSES)
@pytest.mark.parametrize("then", STATUSES[1:])
def test_transitions(poller: Any, sent: Any, now: str, then: str) -> None:
    """spec: poller 4, status changes."""
    job_id = at_status(poller, now)
    before, told = poller.job(job_id), len(sent())
    status, answer = poller.post(request=then, job_id=job_id)
    if (now, then) in ALLOWED:
        assert (status, answer["status"]) == (200, then)
        assert answer["updated_at"] > before["updated_at"]
        assert len(sent()) == told + 1
    elif now == then:
        assert (status, answer) == (200, before)
        assert len(sent()) == told
    else:
        assert (status, answer) == (400, {"error": f"job {job_id} is {now} and cannot become {then}"})
        assert len(sent()) == told
        assert poller.job(job_id) == before


@pytest.mark.parametrize("then", STATUSES)
def test_all_sets_any_status_on_every_job(poller: Any, then: str) -> None:
    made = [at_status(poller, status) for status in STATUSES]
    assert poller.post(request="all", status=then) == (200, {"updated": 3})
    assert {poller.job(job_id)["status"] for job_id in made} == {then}
    assert poller.post(request="all", status=then) == (200, {"updated": 0})


def test_all_of_a_user_leaves_the_others_alone(poller: Any) -> None:
    mine, other = poller.create("ada"), poller.create("bob")
    assert poller.post(request="all", status="failed", user="ada") == (200, {"updated": 1})
    assert (poller.job(mine)["status"], poller.job(other)["status"]) == ("failed", "new")
    assert poller.post(request="all", status="failed", user="nobody") == (200, {"updated": 0})


def test_failed_jobs_become_new_again_by_all_only(poller: Any) -> None:
    job_id = at_status(poller, "failed")
    assert poller.get(request="next") == (200, {})
    assert poller.json(request="all", status="new") == (200, {"updated": 1})
    assert poller.get(request="next")[1]["job_id"] == job_id


def test_claim_takes_the_oldest_new_job(poller: Any) -> None:
    first, second, bobs = poller.create(), poller.create(), poller.create("bob")
    assert poller.post(request="next", claim=1)[1]["job_id"] == first
    status, job = poller.json(request="next", claim=1, user="bob")
    assert (status, job["job_id"], job["status"]) == (200, bobs, "in_progress")
    assert poller.post(request="next", claim=1)[1]["job_id"] == second
    assert poller.post(request="next", claim=1) == (200, {})


def test_the_example_clients_walk(poller: Any) -> None:
    """spec: poller 7."""
    for _ in range(2):
        assert poller.post(request="new", user="ada", model="CMIP5", frequency="decadal", foo="bar")[1]["job_id"]
    while job := poller.get(request="next")[1]:
        assert poller.post(request="in_progress", job_id=job["job_id"])[0] == 200
    for number, run in enumerate(poller.get(request="in_progress")[1]):
        assert poller.post(request=("complete", "failed")[number], job_id=run["job_id"])[0] == 200
    assert [len(poller.get(request=status)[1]) for status in ("complete", "failed")] == [1, 1]
    for _ in poller.get(request="in_progress")[1]:
        pytest.fail("an empty object iterates over nothing")


def test_who_finds_no_job_to_run_hears_when_to_ask_again(poller: Any) -> None:
    """DESIGN 11, back-pressure."""
    path = "/poller/update/"
    looked, claimed = (
        poller.client.get(f"{path}?request=next"),
        poller.client.post(path, json={"request": "next", "claim": 1}),
    )
    assert [answer.headers["Retry-After"] for answer in (looked, claimed)] == ["1", "1"]
    poller.create()
    assert "Retry-After" not in poller.client.get(f"{path}?request=next").headers
