"""A worker of PDM, pointed at the gate over plain HTTP: its credential stands in the address, as in its configuration.

It sends what spec: workqueue 5 and 6 say that it sends, and nothing that Taskyard has added.
"""

import json
from base64 import urlsafe_b64decode as b64decode
from datetime import datetime
from typing import Any
from urllib.parse import quote

import pytest
import requests
from actors import Machine, Person, unique

QUEUE = "/workqueue/api/v1.0"
SITE = "/site/api/v1.0"
PROXY = "-----BEGIN CERTIFICATE-----\nproxy of somebody\n-----END CERTIFICATE-----\n"
LIST, COPY = 0, 1
NEW, SUBMITTED = 0, 3
HOST = ["node.example", ["node"], ["192.0.2.1"]]


class PdmWorker:
    """The requests of the daemon; the HTTP library makes an ``Authorization`` header of the address."""

    def __init__(self, gate: str, machine: Machine) -> None:
        self._gate = gate.replace("://", f"://{machine.id}:{quote(machine.secret, safe='')}@")
        self._session = requests.Session()

    def send(self, method: str, path: str, token: str = "", **body: Any) -> requests.Response:
        """Send JSON, with an element's token where there is one."""
        headers = {"X-Token": token} if token else {}
        return self._session.request(method, self._gate + path, json=body or None, headers=headers, timeout=20)

    def ask(self, *types: int) -> requests.Response:
        """Ask for work (W1)."""
        body = {"types": types, "algorithm": "BY_NUMBER", "algorithm.args": {}}
        return self.send("POST", f"{QUEUE}/worker/jobs", **body)

    def report(self, element: dict[str, Any], returncode: int, **more: Any) -> None:
        """Report a result (W2), which is answered with an empty body."""
        path = f"{QUEUE}/worker/jobs/{element['job_id']}/elements/{element['id']}"
        body = {
            "returncode": returncode,
            "host": HOST,
            "log": "gfal -- copy -- ok\n",
            "timestamp": "2026-01-02T03:04:05",
        }
        answer = self.send("PUT", path, element["token"], **body, **more)
        assert (answer.status_code, answer.content) == (200, b""), answer.text


@pytest.fixture
def worker(gate: str, admin: Person) -> PdmWorker:
    """A worker that an administrator trusts."""
    machine = Machine.create(gate)
    assert PdmWorker(gate, machine).ask(LIST, COPY).status_code == 403
    trusted = admin.session.put(f"{gate}{QUEUE}/workers/{machine.id}", headers=admin.headers(), timeout=30)
    assert trusted.status_code == 200, trusted.text
    return PdmWorker(gate, machine)


def grid_site(person: Person, name: str) -> int:
    """Register a GridFTP site and log in there."""
    body = {"site_name": unique(name), "endpoints": [f"{name}.example:2811"], "service_ca_cert": f"CA of {name}"}
    answer = person.post(f"{SITE}/site", body)
    assert answer.status_code == 200, answer.text
    person.post(f"{SITE}/session/{answer.json()}", {"username": person.username, "proxy": PROXY})
    return int(answer.json())


def test_it_lists_copies_and_reports(worker: PdmWorker, person: Person) -> None:
    """spec: workqueue 5.1, 5.2, 5.3, 6.1, 6.2, 7.1, 7.2, 11."""
    source, target = grid_site(person, "source"), grid_site(person, "target")
    body = {"src_siteid": source, "src_filepath": "/data/run1", "dst_siteid": target, "dst_filepath": "~/run1"}
    submitted = person.post(f"{QUEUE}/copy?dialect=pdm", body).json()
    assert submitted["status"] == "NEW"

    (job,) = worker.ask(COPY).json()
    assert (job["id"], job["type"], job["protocol"], job["status"]) == (submitted["id"], COPY, 0, SUBMITTED)
    assert (job["src_credentials"], job["dst_credentials"]) == (PROXY, PROXY)
    (element,) = job["elements"]
    assert (element["id"], element["type"], element["src_filepath"]) == (0, LIST, "/data/run1")
    there = worker.send("GET", f"{SITE}/endpoint/{source}")
    assert there.json() == {"endpoints": ["source.example:2811"], "cas": ["CA of source"]}
    listing = {"/data/run1": [entry("a.root", 10), entry("b.root", 20)]}
    worker.report(element, 0, listing=listing)

    (job,) = worker.ask(COPY).json()
    first, second = job["elements"]
    assert [each["dst_filepath"] for each in (first, second)] == ["~/run1/a.root", "~/run1/b.root"]
    progress = {"id": f"{job['id']}.1", "transferred": 5, "elapsed": 1.5, "instant": 4, "average": 3}
    path = f"{QUEUE}/worker/jobs/{job['id']}/elements/1/monitoring"
    answer = worker.send("PUT", path, first["token"], **progress)
    assert (answer.status_code, answer.content) == (200, b"")
    assert worker.send("PUT", path, second["token"], **progress).status_code == 403
    assert person.get(f"{QUEUE}/jobs/{job['id']}/elements/1").json()["monitoring_info"] == progress
    worker.report(first, 0)
    worker.report(second, -9)

    (job,) = retried(worker)
    assert [each["id"] for each in job["elements"]] == [2]
    worker.report(job["elements"][0], 0)
    assert person.get(f"{QUEUE}/jobs/{job['id']}/status").json() == {"jobid": job["id"], "status": "DONE"}
    log = person.get(f"{QUEUE}/jobs/{job['id']}/elements/2/output/1").json()["log"]
    assert log.startswith("Job run on host: node.example, returncode: -9, timestamp: 2026-01-02T03:04:05\n")
    idle = worker.ask(LIST, COPY)
    assert (idle.status_code, idle.json()["error"]) == (404, "No work to be done.")


def retried(worker: PdmWorker) -> Any:
    """Ask until the pause after a failure is over, as the daemon does."""
    while (answer := worker.ask(COPY)).status_code == 404:
        assert int(answer.headers["Retry-After"]) >= 1
    return answer.json()


def entry(name: str, size: int) -> dict[str, Any]:
    """Return an entry of a listing as the daemon's scripts print it."""
    rest = dict.fromkeys(("st_uid", "st_gid", "st_atime", "st_mtime", "st_ctime", "st_ino", "st_dev"), 0)
    return {"name": name, "st_mode": 0o100644, "st_nlink": 1, "st_size": size, **rest}


def test_the_command_line_logs_in_and_lists(gate: str, person: Person) -> None:
    """spec: workqueue 2.2, 7.3, 7.4, 8.1: the token is taken apart by the client, and opens all three services."""
    login = {"email": person.username, "passwd": person.password}
    answer = requests.post(f"{gate}/users/api/v1.0/login", json=login, timeout=20)
    assert answer.status_code == 200, answer.text
    token = answer.json()
    payload = json.loads(b64decode(token.split(".")[0] + "=="))
    assert (payload["id"], payload["email"]) == (person.id, person.username)
    datetime.strptime(payload["expiry"], "%Y-%m-%dT%H:%M:%S.%f")  # noqa: DTZ007 - as the client reads it
    site = grid_site(person, "named")
    headers = {"X-Token": token}
    sites = requests.get(f"{gate}{SITE}/site", headers=headers, timeout=20).json()
    assert site in [row["site_id"] for row in sites]
    body = {"src_siteid": site, "src_filepath": "~", "max_tries": 2, "priority": 5, "protocol": 0, "extra_opts": {}}
    job = requests.post(f"{gate}{QUEUE}/list", json=body, headers=headers, timeout=20)
    assert (job.status_code, job.json()["user_id"]) == (200, person.id)
    # Nobody is to find it who asks for work later.
    requests.post(f"{gate}{QUEUE}/jobs/{job.json()['id']}/cancel", headers=headers, timeout=20).raise_for_status()
    wrong = requests.post(f"{gate}/users/api/v1.0/login", json=login | {"passwd": "wrong"}, timeout=20)
    assert wrong.status_code == 403
