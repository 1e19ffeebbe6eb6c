"""Who may do what (spec: workqueue 2)."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from chassis.database import Database
from chassis.identity import Basic, Kind, Principal
from chassis.internal import service_token
from chassis.testing.contract_client import ContractClient
from chassis.testing.identity import KnownPrincipals
from workqueue_service.testing import API, SITE, TRANSPORTS, USERS, PdmWorker, Person, Worker, path_of

KEY = "k" * 32
USER_ROUTES = [
    *[("POST", f"{API}/{name}") for name in ("jobs", "list", "copy", "remove", "rename", "mkdir")],
    *[("GET", f"{API}/jobs{rest}") for rest in ("", "/1", "/1/status", "/1/output", "/1/events", "/1/elements")],
    *[("GET", f"{API}/jobs/1/elements/0{rest}") for rest in ("", "/status", "/output", "/output/1")],
    *[("POST", f"{API}/jobs/1/{name}") for name in ("cancel", "retry")],
    *[(method, f"{SITE}/site") for method in ("GET", "POST")],
    *[(method, f"{SITE}/site/1") for method in ("GET", "DELETE")],
    *[(method, f"{SITE}/session/1") for method in ("GET", "POST", "DELETE")],
    ("DELETE", f"{SITE}/user/3"),
    ("GET", f"{API}/workers"),
    ("PUT", f"{API}/workers/9"),
    ("DELETE", f"{API}/workers/9"),
]
WORKER_ROUTES = [
    ("POST", f"{API}/worker/jobs"),
    ("POST", f"{API}/worker/reports"),
    ("POST", f"{API}/worker/monitoring"),
    *[("PUT", f"{API}/worker/jobs/1/elements/0{rest}") for rest in ("", "/monitoring", "/listing")],
    ("GET", f"{SITE}/endpoint/1"),
]

OPEN_ROUTES = [("GET", f"{SITE}/service"), ("POST", f"{USERS}/login")]


def test_every_route_is_in_one_of_the_lists(app: Flask) -> None:
    """Nobody adds a route without a row here."""
    known = {(method, path) for method, path in [*USER_ROUTES, *WORKER_ROUTES, *OPEN_ROUTES]}
    adapter = app.url_map.bind("localhost")
    matched = {(adapter.match(path, method)[0], method) for method, path in known}
    rules = {
        (rule.endpoint, method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith(("/workqueue", "/site", "/users"))
    }
    assert matched == rules


@pytest.mark.parametrize(("method", "path"), USER_ROUTES)
@pytest.mark.parametrize(
    "headers",
    [{}, {"X-Token": "forged"}, {"Authorization": "Bearer forged"}, {"X-Token": "tyk_forged"}, {"Cookie": "tt=x"}],
)
def test_user_routes_need_a_user(client: ContractClient, method: str, path: str, headers: dict[str, str]) -> None:
    """spec: workqueue 2.6, 10 Q1, Q2: 403 and never 401, before the body is looked at."""
    assert client.open(path, method=method, headers=headers, data=b"no json").status_code == 403


@pytest.mark.parametrize(("method", "path"), USER_ROUTES)
def test_workers_are_no_users(client: ContractClient, worker: Worker, method: str, path: str) -> None:
    """spec: workqueue 2.5."""
    assert client.open(path, method=method, headers=worker.headers).status_code == 403


@pytest.mark.parametrize(("method", "path"), WORKER_ROUTES)
def test_worker_routes_need_a_worker(client: ContractClient, user: Person, method: str, path: str) -> None:
    """spec: workqueue 2.6."""
    for headers in ({}, user.headers, {"X-Worker-ID": "7", "X-Secret": "wrong"}, {"Authorization": "Basic eDp5"}):
        assert client.open(path, method=method, headers=headers, data=b"no json").status_code == 403


@pytest.mark.parametrize("header", ["X-Token", "X-Auth-Token", "Authorization"])
def test_tokens_of_users(client: ContractClient, known: KnownPrincipals, header: str) -> None:
    """spec: workqueue 2.2; DESIGN 4."""
    known.add_token("signed", Principal(Kind.ACCOUNT, 42, "ada"))
    value = "Bearer signed" if header == "Authorization" else "signed"
    assert client.get(f"{API}/jobs", headers={header: value}).status_code == 200


def test_an_element_token_is_no_user(user: Person, worker: Worker, site: int) -> None:
    """spec: workqueue 2.6, 10 Q3."""
    job = user.submit()
    [element] = worker.take()
    assert user.client.get(f"{API}/jobs/{job}", headers={"X-Token": element["token"]}).status_code == 403


def test_an_untrusted_worker_gets_nothing(client: ContractClient, known: KnownPrincipals) -> None:
    """A hand-out holds other people's credentials: anybody can make a worker, not anybody gets them."""
    stranger = Worker(client, known.add_worker(55), 55)
    answer = stranger.ask()
    assert answer.status_code == 403
    assert "not trusted" in answer.json["error"]


def test_administrators_trust_workers(person: Callable[..., Person], known: KnownPrincipals) -> None:
    """The configuration names the first ones, administrators the others."""
    admin, somebody = person(1, admin=True), person(4)
    stranger = Worker(admin.client, known.add_worker(55), 55)
    for send in (somebody.put, somebody.delete):
        assert send("/workers/55").status_code == 403
    assert admin.put("/workers/55").json == {"worker_id": 55}
    assert stranger.ask().status_code == 404
    assert [row["worker_id"] for row in admin.get("/workers").json["workers"]] == [55]
    admin.delete("/workers/55")
    assert stranger.ask().status_code == 403


def test_a_worker_by_basic_and_by_bearer(
    client: ContractClient, known: KnownPrincipals, user: Person, site: int
) -> None:
    """spec: workqueue 7.1: what a PDM worker can send; the element token has X-Token for itself."""
    known._known[Basic("7", "s3cret")] = Principal(Kind.WORKER, 7, "worker")
    basic = {"Authorization": "Basic " + base64.b64encode(b"7:s3cret").decode()}
    bearer = known.add_token("of-worker", Principal(Kind.WORKER, 7, "worker"))
    house = {"Authorization": "Bearer " + service_token(KEY, "workqueue", "workqueue")}
    for headers in (basic, bearer, house):
        user.submit()
        worker = Worker(client, headers, 7)
        [element] = worker.take()
        assert worker.report(element, returncode=1).status_code == 200
        assert worker.report(worker.take()[0], returncode=1).status_code == 200


def test_tokens_of_other_services_are_refused(client: ContractClient) -> None:
    """The house's own workers are this service's own."""
    for issuer, audience in (("tracker", "workqueue"), ("workqueue", "auth")):
        headers = {"Authorization": "Bearer " + service_token(KEY, issuer, audience)}
        assert Worker(client, headers, 0).ask().status_code == 403


def test_a_paused_worker_gets_nothing(client: ContractClient, known: KnownPrincipals, user: Person, site: int) -> None:
    """DESIGN 4: paused workers are left alone."""
    user.submit()
    assert Worker(client, known.add_worker(8, paused=True), 8).ask().status_code == 404


@pytest.mark.parametrize("rest", ["", "/monitoring", "/listing"])
def test_element_tokens(user: Person, worker: Worker, known: KnownPrincipals, site: int, rest: str) -> None:
    """spec: workqueue 2.6, 5.2 steps 1 and 2."""
    user.submit()
    user.submit()
    first, second = worker.take()
    known.add_token("of-a-user", Principal(Kind.ACCOUNT, 3, "ada"))
    where = f"element {first['id']} of job {first['job_id']}"
    cases = [("", "Invalid token"), ("forged", "Invalid token"), (first["token"][:-1], "Invalid token")]
    cases += [(token, f"Token not valid for {where}") for token in (second["token"], "of-a-user")]
    for token, message in cases:
        answer = worker.put(path_of(first) + rest, {}, headers={"X-Token": token})
        assert (answer.status_code, answer.json["error"]) == (403, message)


def test_jobs_of_others_are_invisible(user: Person, person: Callable[..., Person], site: int) -> None:
    """spec: workqueue 4.4: there is no telling whether they exist."""
    job, stranger = user.submit(), person(4)
    assert stranger.get("/jobs").json == []
    assert stranger.get(f"/jobs/{job}/elements").json == []
    for rest in ("", "/status", "/output", "/events", "/elements/0", "/elements/0/status", "/elements/0/output"):
        answers = [stranger.get(f"/jobs/{number}{rest}") for number in (job, 99)]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].text.replace(str(job), "99") == answers[1].text
    for name in ("cancel", "retry"):
        assert stranger.post(f"/jobs/{job}/{name}").status_code == 404


def test_a_pdm_worker_gets_what_it_can_run(
    user: Person, pdm_worker: PdmWorker, make_site: Callable[..., int], database: Database
) -> None:
    """spec: workqueue 5.1, T."""
    grid, other, local = (make_site(n, endpoints=e) for n, e in GRID.items())
    for site in (grid, other):
        user.post(f"{SITE}/session/{site}", {"username": "ada", "proxy": f"PEM-{site}"})
    wanted: dict[str, Any] = {"dst_siteid": other, "dst_filepath": "/x"}
    plain = user.submit("copy", grid, **wanted)
    user.submit("copy", grid, **{**wanted, "dst_siteid": local})
    user.submit("list", local)
    user.submit("list", grid, src_filepath="/ü")
    user.submit("list", grid, src_filepath="/a?b")
    user.submit("list", grid, src_filepath="/a#b")
    dummy = user.submit("list", local, protocol="DUMMY")
    jobs = pdm_worker.ask().json
    assert [job["id"] for job in jobs] == [plain, dummy]
    assert (jobs[0]["src_credentials"], jobs[0]["dst_credentials"]) == (f"PEM-{grid}", f"PEM-{other}")
    assert (jobs[1]["src_credentials"], jobs[1]["dst_credentials"]) == ("", "")
    assert not {"options", "src_site", "dst_site"} & jobs[0].keys()
    assert pdm_worker.ask().status_code == 404


GRID = {"grid": ["grid.example:2811"], "other": ["other.example:2811"], "local": ["file:///srv/taskyard/local"]}


def test_a_taskyard_worker_gets_what_its_transports_reach(
    user: Person, worker: Worker, site: int, make_site: Callable[..., int]
) -> None:
    """The rest waits for a worker that can."""
    far = make_site("far", endpoints=["ftp://far.example/"], login_required=False)
    job = user.submit("copy", site, dst_siteid=far, dst_filepath="/x")
    assert worker.take(transports=["file", "sftp"]) == []
    [element] = worker.take(transports=TRANSPORTS)
    assert element["job_id"] == job
