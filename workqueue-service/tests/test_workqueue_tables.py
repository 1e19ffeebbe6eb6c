"""Tables of the specification row by row, where no other test has them: fields, forms, defaults, what clients send."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from chassis.database import Database
from chassis.identity import Kind, Principal
from chassis.testing.contract_client import ContractClient
from chassis.testing.identity import KnownPrincipals
from workqueue_service.enums import JobProtocol, JobStatus, JobType
from workqueue_service.testing import API, SITE, Person, Worker, entry

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}")
JOB_KEYS = {
    "id", "user_id", "log_uid", "src_siteid", "dst_siteid", "src_filepath", "dst_filepath", "extra_opts", "priority",
    "type", "protocol", "status", "timestamp",
}  # fmt: skip
ELEMENT_KEYS = {
    "id", "job_id", "src_filepath", "dst_filepath", "listing", "monitoring_info", "size", "max_tries", "attempts",
    "type", "status", "timestamp",
}  # fmt: skip
COUNTERS = {f"num_{name}" for name in ("elements", "new", "done", "failed", "submitted", "running")}
CREDENTIALS = {"src_credentials", "dst_credentials"}

ENUMERATIONS = [
    (JobStatus, ["NEW", "DONE", "FAILED", "SUBMITTED", "RUNNING"]),
    (JobType, ["LIST", "COPY", "REMOVE", "RENAME", "MKDIR"]),
    (JobProtocol, ["GRIDFTP", "SSH", "DUMMY"]),
]


@pytest.mark.parametrize(("kind", "names"), ENUMERATIONS)
def test_enumerations(kind: Any, names: list[str]) -> None:
    """spec: workqueue 3.1: the numbers are on the wire to workers."""
    assert [member.name for member in kind] == names
    assert [int(member) for member in kind] == list(range(len(names)))


@pytest.mark.parametrize("protocol", JobProtocol)
@pytest.mark.parametrize("kind", JobType)
def test_names_for_users_and_numbers_for_workers(
    user: Person, worker: Worker, site: int, kind: JobType, protocol: JobProtocol
) -> None:
    """spec: workqueue 3.1: what is sent is coerced, users read names, workers read integers."""
    job = user.submit("jobs", type=int(kind), protocol=str(int(protocol)), dst_siteid=site, dst_filepath="/x")
    shown = user.get(f"/jobs/{job}?dialect=pdm").json
    assert (shown["type"], shown["protocol"], shown["status"]) == (kind.name, protocol.name, "NEW")
    [given] = worker.ask(types=[int(kind)]).json
    assert (given["type"], given["protocol"], given["status"]) == (int(kind), int(protocol), 3)
    [element] = given["elements"]
    assert (element["type"], element["status"]) == (int(JobType.MKDIR if kind is JobType.MKDIR else JobType.LIST), 3)
    [seen] = user.elements(job)
    assert (seen["type"], seen["status"]) == (JobType(element["type"]).name, "SUBMITTED")


def test_the_fields_of_a_job(user: Person, worker: Worker, site: int) -> None:
    """spec: workqueue 3.2: every column of its table, for users and for workers, set or not."""
    job = user.submit("list")
    submitted = user.post("/list?dialect=pdm", {"src_siteid": site, "src_filepath": "/data"}).json
    assert submitted.keys() == JOB_KEYS
    assert user.get(f"/jobs/{job}").json.keys() == JOB_KEYS
    listed = user.job(job)
    assert listed.keys() == JOB_KEYS | COUNTERS
    unset = {"dst_siteid": None, "dst_filepath": None, "extra_opts": None}
    assert {**unset, "priority": 5, "protocol": "GRIDFTP", "status": "NEW"}.items() <= listed.items()
    given = worker.ask().json[0]
    assert given.keys() - {"options", "src_site", "dst_site", "elements"} == JOB_KEYS | CREDENTIALS
    assert [given[name] for name in sorted(CREDENTIALS)] == ["", ""]


def test_the_fields_of_an_element(user: Person, worker: Worker, site: int) -> None:
    """spec: workqueue 3.3, 10 Q41: every row of its table; sizes of 64 bits."""
    huge = 2**62
    job = user.submit("copy", dst_siteid=site, dst_filepath="/x")
    [lists] = user.elements(job)
    assert lists.keys() == ELEMENT_KEYS
    defaults = {"listing": None, "monitoring_info": None, "size": 0, "max_tries": 2, "attempts": 0, "status": "NEW"}
    assert defaults.items() <= lists.items()
    worker.report(worker.take()[0], listing={"/data": [entry("a", huge)]})
    copies = user.elements(job)[1]
    assert (copies["size"], copies["type"], copies["dst_filepath"]) == (huge, "COPY", "/x/a")
    [given] = worker.take()
    assert given.keys() - {"lease"} == ELEMENT_KEYS | {"token"}
    assert given["size"] == huge


def test_timestamps(user: Person, worker: Worker, site: int, database: Database) -> None:
    """spec: workqueue 3.4: six digits also on a whole second, no zone, new with every change."""
    job = user.submit()
    seen = [user.job(job)["timestamp"], user.elements(job)[0]["timestamp"]]
    [element] = worker.take()
    seen += [user.job(job)["timestamp"], user.elements(job)[0]["timestamp"], element["timestamp"]]
    assert all(STAMP.fullmatch(each) for each in seen)
    assert seen[0] < seen[2]
    assert seen[1] < seen[3]
    database.execute("UPDATE element SET changed_at = '2026-01-02 03:04:05+00'")
    assert user.elements(job)[0]["timestamp"] == "2026-01-02T03:04:05.000000"


ALWAYS = {"src_filepath": "~/a", "max_tries": 2, "priority": 5, "protocol": 0, "extra_opts": {}}


@pytest.mark.parametrize(
    ("route", "more"),
    [
        ("list", {"extra_opts": {"depth": 1}}),
        ("copy", {"dst_siteid": 2, "dst_filepath": "~/b", "extra_opts": {"overwrite": True}}),
        ("remove", {}),
        ("rename", {"dst_siteid": 1, "dst_filepath": "~/b"}),
        ("mkdir", {"protocol": "SSH"}),
    ],
)
def test_what_pdm_clients_send(user: Person, site: int, other_site: int, route: str, more: dict[str, Any]) -> None:
    """spec: workqueue 4.1: the body keys that each method of the client always sends."""
    body = {"src_siteid": site, **ALWAYS, **more}
    job = user.post(f"/{route}?dialect=pdm", body)
    assert job.status_code == 200, job.text
    assert job.json["type"] == route.upper()
    sent = {name: body[name] for name in body if name not in ("max_tries", "protocol")}
    assert {name: job.json[name] for name in sent} == sent
    assert user.elements(job.json["id"])[0]["max_tries"] == 2


def test_what_pdm_clients_read(user: Person, worker: Worker, site: int) -> None:
    """spec: workqueue 4.1, 8.1, 8.2, 11: list, poll, show; the client wraps the outputs of elements itself."""
    job = user.submit("list", extra_opts={"depth": 1})
    assert user.get(f"/jobs/{job}/elements/0/output/-1").status_code == 404
    [element] = worker.take()
    entries = [entry("b", 7), entry("a", 5)]
    worker.report(element, listing={"/data": entries})
    assert user.get(f"/jobs/{job}/status").json == {"jobid": job, "status": "DONE"}
    whole, ofelement, last = (
        user.get(f"/jobs/{job}{rest}?dialect=pdm").json
        for rest in ("/output", "/elements/0/output", "/elements/0/output/-1")
    )
    assert whole == [ofelement] == [[last]]
    top = next(iter(last["listing"]))
    assert (top, last["listing"][top]) == ("/data", entries)
    printed = {"name", "st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_mtime"}
    assert all(printed <= each.keys() for each in last["listing"][top])
    keys = {"jobid", "elementid", "status", "attempts", "transferred", "instant", "average", "elapsed"}
    assert user.get(f"/jobs/{job}/elements/0/status").json.keys() == keys


def test_site_names_are_looked_up_by_the_client(user: Person, site: int, other_site: int) -> None:
    """spec: workqueue 7.4: by the list of sites, whose names are unique."""
    names = {row["site_name"]: row["site_id"] for row in user.get(f"{SITE}/site").json}
    assert names == {"lab": site, "store": other_site}


def test_the_order_of_checks(client: ContractClient, user: Person, site: int) -> None:
    """spec: workqueue 2.1, 2.4: the path, the credential, the body, the values."""
    assert client.post(f"{API}/nothing", data=b"no json").status_code == 404
    assert client.post(f"{API}/list", data=b"no json").status_code == 403
    assert client.post(f"{API}/list", data=b"no json", headers={"X-Token": "expired"}).status_code == 403
    assert client.post(f"{API}/list", data=b"no json", headers=user.headers).status_code == 400
    answer = user.post("/copy", {"src_siteid": 99, "dst_siteid": 99, "src_filepath": "/a"})
    assert answer.json["error"] == "Missing ['dst_filepath']", "values come before sites (10 Q11)"


def test_headers_of_a_tls_front_end_prove_nothing(client: ContractClient, site: int) -> None:
    """spec: workqueue 2.1, 10 Q6: also not to the service itself, which no gate needs to protect."""
    named = {"Ssl-Client-Verify": "SUCCESS", "Ssl-Client-S-Dn": "C=UK, CN=worker"}
    assert client.post(f"{API}/worker/jobs", json={"types": [0]}, headers=named).status_code == 403


def test_element_tokens_are_opaque_and_end(
    user: Person, worker: Worker, known: KnownPrincipals, site: int, database: Database
) -> None:
    """spec: workqueue 2.3, 10 Q5: one for each hand-out, which is no credential for anything else."""
    job = user.submit(max_tries=3)
    tokens = []
    for _ in range(2):
        [element] = worker.take()
        tokens.append(element["token"])
        worker.report(element, returncode=1)
    assert len(set(tokens)) == 2
    assert f"{job}.0" not in "".join(tokens)
    [element] = worker.take()
    for stale in tokens:
        path = f"/worker/jobs/{job}/elements/0"
        assert worker.put(path, {"returncode": 0}, headers={"X-Token": stale}).status_code in (400, 403)
        assert worker.report({**element, "token": stale}, listing={}).status_code == 403
    assert worker.report(element, listing={}).status_code == 200


@pytest.mark.parametrize("path", [f"{API}/nothing", f"{API}/jobs/x", f"{API}/jobs/99", f"{API}/list"])
def test_errors_are_json(user: Person, path: str) -> None:
    """spec: workqueue 1, 10 Q7: also where the path or the method is none."""
    answer = user.get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/json")
    assert answer.json["error"]


def test_elements_of_nobody(user: Person, person: Callable[..., Person], site: int) -> None:
    """spec: workqueue 4.4, 10 Q16: 200 with an empty list, for a missing job and for somebody else's."""
    job = user.submit()
    for somebody, number in ((user, 99), (person(4), job)):
        answer = somebody.get(f"/jobs/{number}/elements")
        assert (answer.status_code, answer.json) == (200, [])


def test_orders(user: Person, worker: Worker, site: int) -> None:
    """spec: workqueue 4.4, 10 Q17: jobs, elements and outputs by id, whatever is done first."""
    for priority in (9, 0, 5):
        user.submit("copy", priority=priority, dst_siteid=site, dst_filepath="/x")
    for element in worker.take():
        worker.report(element, listing={"/data": [entry(name) for name in "zay"]})
    worker.report(worker.take()[-1])
    assert [job["id"] for job in user.get("/jobs").json] == [1, 2, 3]
    assert [element["id"] for element in user.elements(2)] == [0, 1, 2, 3]
    output = user.get("/jobs/2/output?dialect=pdm").json
    assert len(output) == 4
    assert [attempts[0]["elementid"] for attempts in output if attempts] == sorted(
        attempts[0]["elementid"] for attempts in output if attempts
    )


def test_logs_of_any_language(user: Person, worker: Worker, site: int) -> None:
    """spec: workqueue 3.6, 10 Q18, Q30: UTF-8, under the header line, without a path of this server."""
    job = user.submit()
    log = "日本 — ünïcødé\n\ttabs and \x1b[31mcolours\n"
    worker.report(worker.take()[0], returncode=3, log=log)
    text = user.get(f"/jobs/{job}/elements/0/output").json["log"]
    assert text == f"Job run on host: node-1, returncode: 3, timestamp: 2026-01-02T03:04:05\n{log}"


def test_credentials_belong_to_their_side(user: Person, worker: Worker, make_site: Callable[..., int]) -> None:
    """spec: workqueue 10 Q37: each site of each job with the log-in of its own."""
    sites = [make_site(name, endpoints=[f"sftp://{name}.example/"]) for name in ("one", "two")]
    for number in sites:
        user.post(f"{SITE}/session/{number}", {"username": f"at-{number}", "password": "x"})
    for source, target in (sites, sites[::-1]):
        user.submit("copy", source, dst_siteid=target, dst_filepath="/x")
    names = [[job[side]["credentials"]["username"] for side in ("src_site", "dst_site")] for job in worker.ask().json]
    assert names == [["at-1", "at-2"], ["at-2", "at-1"]]


def test_a_worker_is_no_person_by_its_element(client: ContractClient, known: KnownPrincipals, user: Person) -> None:
    """spec: workqueue 2.1: who has a credential of one kind has not the rights of another."""
    service = known.add_token("of-a-service", Principal(Kind.SERVICE, 0, "tracker"))
    for path in (f"{API}/jobs", f"{SITE}/site"):
        assert client.get(path, headers=service).status_code == 403
    assert client.post(f"{API}/worker/jobs", json={"types": [0]}, headers=user.headers).status_code == 403
