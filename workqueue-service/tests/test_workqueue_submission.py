"""What may be submitted, and that everything else is 400 before anything is stored (spec: workqueue 4.2, 4.3)."""

from collections.abc import Callable
from typing import Any

import pytest

from chassis.database import Database
from workqueue_service.testing import API, Person, Worker

LIST = {"src_siteid": 1, "src_filepath": "/data"}
COPY = {**LIST, "dst_siteid": 2, "dst_filepath": "/copy"}


@pytest.fixture(autouse=True)
def _two_sites(other_site: int) -> None:
    """Sites 1 and 2."""


def refused(user: Person, database: Database, path: str, body: Any, **more: Any) -> str:
    """Return why a submission is refused, having made sure that nothing was stored."""
    response = user.post(path, body, **more)
    assert response.status_code == 400, response.text
    assert database.value("SELECT count(*) FROM job") == 0
    return str(response.json["error"])


@pytest.mark.parametrize("missing", ["src_siteid", "dst_siteid", "src_filepath", "dst_filepath"])
def test_missing_keys_of_a_copy(user: Person, database: Database, missing: str) -> None:
    """spec: workqueue 4.2."""
    message = refused(user, database, "/copy", {name: value for name, value in COPY.items() if name != missing})
    prefix = "Missing data attributes: " if missing.endswith("siteid") else "Missing "
    assert message == f"{prefix}['{missing}']"


@pytest.mark.parametrize("spelling", ["COPY", "copy", 1, "1", True])
def test_a_copy_needs_its_destination_however_the_type_is_spelled(
    user: Person, database: Database, spelling: Any
) -> None:
    """spec: workqueue 10 Q13."""
    assert "dst_siteid" in refused(user, database, "/jobs", {**LIST, "type": spelling})


def test_a_job_needs_a_type(user: Person, database: Database) -> None:
    """spec: workqueue 4.2."""
    assert refused(user, database, "/jobs", LIST) == "Missing data attributes: ['type']"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (5, "5 is not a valid JobType"),
        (-1, "-1 is not a valid JobType"),
        ("7", "7 is not a valid JobType"),
        (None, "Failed to parse 'None' to enum type 'JobType'"),
        (1.5, "Failed to parse '1.5' to enum type 'JobType'"),
        ([1], "Failed to parse '[1]' to enum type 'JobType'"),
        ("MOVE", "'MOVE' is not a valid JobType"),
        ("", "'' is not a valid JobType"),
        ("²", "'²' is not a valid JobType"),
    ],
)
def test_wrong_types(user: Person, database: Database, value: Any, message: str) -> None:
    """spec: workqueue 4.2."""
    assert refused(user, database, "/jobs", {**LIST, "type": value}) == message


@pytest.mark.parametrize("value", [3, "3", -1, "GOPHER", 1.5, [0], {}])
def test_wrong_protocols(user: Person, database: Database, value: Any) -> None:
    """spec: workqueue 4.2."""
    assert "JobProtocol" in refused(user, database, "/list", {**LIST, "protocol": value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("src_siteid", value) for value in (None, "lab", "", True, -1, 0, [1], "1.5", 10**30, "9" * 30)],
        *[("priority", value) for value in (-1, 10, "high", [5], True)],
        *[("max_tries", value) for value in (0, -1, 21, "many", {})],
        *[("dst_siteid", value) for value in (0, "b", [2])],
        *[("extra_opts", value) for value in ("overwrite", 1, True, [], ["depth"])],
        *[("src_filepath", value) for value in (None, 5, [], "", "/a\nb", "/a\r", "/a\0b", "/..", "~/..", "/a\n")],
        *[("dst_filepath", value) for value in ("/a\nb", "../x", 3)],
    ],
)
def test_wrong_values(user: Person, database: Database, name: str, value: Any) -> None:
    """spec: workqueue 4.2, 10 Q12, Q14."""
    refused(user, database, "/list", {**LIST, name: value})


@pytest.mark.parametrize("value", [None, 3, "", "/a\nb", "/../x"])
def test_wrong_destinations_of_a_copy(user: Person, database: Database, value: Any) -> None:
    """spec: workqueue 4.2."""
    refused(user, database, "/copy", {**COPY, "dst_filepath": value})


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"copy"', b"null", b"12", b'{"src_siteid": NaN}', b"\xff"])
def test_bodies_that_are_no_object(user: Person, database: Database, body: bytes) -> None:
    """spec: workqueue 1."""
    refused(user, database, "/list", None, data=body)


def test_the_injection_text_is_the_documented_one(user: Person, database: Database) -> None:
    """spec: workqueue 4.2."""
    message = refused(user, database, "/list", {**LIST, "src_filepath": "/a\nb"})
    assert message == "Possible injection content in filepath '/a\\nb'"


@pytest.mark.parametrize(
    ("job_type", "options"),
    [
        ("list", {"depth": "deep"}),
        ("list", {"timeout": 0}),
        ("copy", {"overwrite": "yes"}),
        ("copy", {"bandwidth": -1}),
        ("copy", {"name": "a\0b"}),
        ("mkdir", {"permissions": 0o10000}),
    ],
)
def test_options_that_could_not_be_carried_out(
    user: Person, database: Database, job_type: str, options: dict[str, Any]
) -> None:
    """spec: workqueue 6.6."""
    refused(user, database, f"/{job_type}", {**COPY, "extra_opts": options})


def test_options_are_echoed_and_those_that_are_known_carried_out(user: Person, worker: Worker) -> None:
    """spec: workqueue 6.6, 10 Q9."""
    sent = {"depth": 3, "overwrite": True, "checksum": None, "own": {"b": 1, "a": [2]}, "s_cred_file": "/etc/shadow"}
    job = user.submit("copy", dst_siteid=2, dst_filepath="/x", extra_opts=sent)
    del sent["s_cred_file"]
    assert user.job(job)["extra_opts"] == sent
    assert worker.ask().json[0]["options"] == {"overwrite": True}
    assert worker.ask().status_code == 404


def test_the_answer_has_every_key(user: Person) -> None:
    """spec: workqueue 3.2, 4.3, 10 Q8."""
    extra = {"id": 99, "status": "DONE", "attempts": 7, "log_uid": "x", "user_id": 1, "src_credentials": "s"}
    answer = user.post("/copy?dialect=pdm", {**COPY, **extra, "dst_credentials": "s", "type": "LIST"}).json
    assert {name: answer[name] for name in answer if name not in ("log_uid", "timestamp")} == {
        "id": 1,
        "user_id": user.id,
        "src_siteid": 1,
        "dst_siteid": 2,
        "src_filepath": "/data",
        "dst_filepath": "/copy",
        "extra_opts": None,
        "priority": 5,
        "type": "COPY",
        "protocol": "GRIDFTP",
        "status": "NEW",
    }
    assert len(answer["log_uid"]) == 36


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ({"src_siteid": "1"}, {"src_siteid": 1}),
        ({"src_siteid": 1.7}, {"src_siteid": 1}),
        ({"protocol": "dummy"}, {"protocol": "DUMMY"}),
        ({"protocol": 1}, {"protocol": "SSH"}),
        ({"protocol": None, "priority": None, "max_tries": None}, {"protocol": "GRIDFTP", "priority": 5}),
        ({"priority": 0}, {"priority": 0}),
        ({"priority": "9"}, {"priority": 9}),
        ({"src_filepath": "somefile"}, {"src_filepath": "somefile"}),
        ({"src_filepath": "/a b/ü+,:@=()[]#%*'\"`$;&|<>?\\"}, {"src_filepath": "/a b/ü+,:@=()[]#%*'\"`$;&|<>?\\"}),
        ({"extra_opts": {}}, {"extra_opts": {}}),
        ({"dst_siteid": None, "dst_filepath": None}, {"dst_siteid": None, "dst_filepath": None}),
    ],
)
def test_values_that_are_accepted(user: Person, sent: dict[str, Any], stored: dict[str, Any]) -> None:
    """spec: workqueue 4.2, 4.2.1."""
    job = user.job(user.submit(**sent))
    assert {name: job[name] for name in stored} == stored


@pytest.mark.parametrize("spelling", [0, "0", "LIST", "list", "List", False])
def test_spellings_of_a_type(user: Person, spelling: Any) -> None:
    """spec: workqueue 4.2."""
    assert user.job(user.submit("jobs", type=spelling))["type"] == "LIST"


@pytest.mark.parametrize("destination", [{}, {"dst_siteid": 2}, {"dst_siteid": None}, {"dst_siteid": "x"}])
def test_a_rename_stays_at_its_site(user: Person, destination: dict[str, Any]) -> None:
    """spec: workqueue 4.3."""
    assert user.job(user.submit("rename", dst_filepath="/new", **destination))["dst_siteid"] == 1


@pytest.mark.parametrize("kind", ["list", "copy", "remove", "rename"])
def test_the_first_element_lists(user: Person, kind: str) -> None:
    """spec: workqueue 4.3."""
    job = user.submit(kind, src_filepath="some//file/", dst_siteid=2, dst_filepath="/x", max_tries=4)
    [element] = user.elements(job)
    assert (element["id"], element["type"], element["src_filepath"]) == (0, "LIST", "~/some/file")
    assert (element["dst_filepath"], element["max_tries"], element["status"]) == (None, 4, "NEW")


def test_a_mkdir_needs_no_listing(user: Person) -> None:
    """spec: workqueue 4.3."""
    [element] = user.elements(user.submit("mkdir", src_filepath="/~/new", dst_filepath="/other"))
    assert (element["type"], element["src_filepath"], element["dst_filepath"]) == ("MKDIR", "~/new", "/other")
    assert element["size"] == 0


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded", ""])
def test_the_content_type_does_not_matter(user: Person, content_type: str) -> None:
    """spec: workqueue 1."""
    body = b'{"src_siteid": 1, "src_filepath": "/a"}'
    assert user.post("/list", data=body, headers={"Content-Type": content_type}).status_code == 200


def test_unknown_and_invisible_sites(
    user: Person, database: Database, person: Callable[..., Person], make_site: Callable[..., int]
) -> None:
    """spec: workqueue 4.2."""
    hidden = make_site("hidden", public=False)
    assert f"Site {hidden} " in refused(person(4), database, "/list", {**LIST, "src_siteid": hidden})
    assert "Site 99 is unknown" in refused(user, database, "/list", {**LIST, "src_siteid": 99})
    assert "Site 99 is unknown" in refused(user, database, "/copy", {**COPY, "dst_siteid": 99})
    assert user.post("/list", {**LIST, "src_siteid": hidden}).status_code == 200


def test_a_site_that_needs_a_login(user: Person, database: Database, make_site: Callable[..., int]) -> None:
    """spec: workqueue 4.2, 10 Q10."""
    store = make_site("far", endpoints=["sftp://far.example/"])
    message = f"No active login at site {store} (far)"
    assert refused(user, database, "/list", {**LIST, "src_siteid": store}) == message
    assert refused(user, database, "/copy", {**COPY, "dst_siteid": store}) == message
    user.post(f"/site/api/v1.0/session/{store}", {"username": "ada", "password": "x"})
    assert user.post("/list", {**LIST, "src_siteid": store}).status_code == 200
    database.execute("UPDATE site_session SET expires_at = now() - interval '1 second'")
    assert user.post("/list", {**LIST, "src_siteid": store}).status_code == 400


@pytest.mark.parametrize(
    ("kind", "source", "destination", "status"),
    [("list", 3, 1, 200), ("copy", 3, 1, 200), ("copy", 1, 3, 400), ("remove", 3, 1, 400), ("mkdir", 3, 1, 400)],
)
def test_web_sites_can_only_be_read(
    user: Person, make_site: Callable[..., int], kind: str, source: int, destination: int, status: int
) -> None:
    """An http endpoint has no way to write."""
    assert make_site("web", endpoints=["https://web.example/files"]) == 3
    body = {**LIST, "src_siteid": source, "dst_siteid": destination, "dst_filepath": "/x"}
    assert user.post(f"/{kind}", body).status_code == status


@pytest.mark.parametrize("path", ["/jobs/", "/list/", "/jobs/x", "/jobs/-1", "/jobs/1.0", "/jobs/1/", "/nothing", "/"])
def test_paths_that_do_not_exist(user: Person, path: str) -> None:
    """spec: workqueue 1."""
    assert user.get(path).status_code == 404
    assert user.post(path, {}).status_code == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_wrong_methods(user: Person, method: str) -> None:
    """spec: workqueue 1."""
    assert user.client.open(f"{API}/jobs", method=method, headers=user.headers).status_code == 404


def test_a_repeated_request_creates_one_job(user: Person, database: Database) -> None:
    """DESIGN 11, idempotency."""
    first, second = (user.post("/list", LIST, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert first.json == second.json
    assert database.value("SELECT count(*) FROM job") == 1
    other = user.post("/list", {**LIST, "priority": 1}, headers={"Idempotency-Key": "k"})
    assert other.status_code == 422
