"""A cron job feeds the other queues, through the gate and over the bus."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from actors import Machine, Person, unique
from share import Share

from chassis.testing.waiting import eventually

NEVER = "0 0 1 1 *"


def test_a_job_submits_a_task_that_a_worker_leases(gate: str, admin: Person, project: int) -> None:
    code = {"source": "task", "project": project, "recipe": "scheduled", "max_retries": 1, "max_assign_time": 60}
    job = admin.job(NEVER, code)
    admin.scheduler("POST", f"/jobs/{job}/run")
    worker = Machine.create(gate)
    task = worker.get(f"/task/get/{project}?wait=30").json()["content"]["task"]
    assert task["recipe"] == "scheduled"
    assert eventually(lambda: admin.ended_run(job), 30)["status"] == "success"
    assert admin.scheduler("GET", f"/jobs/{job}/next?count=2")["next"]


def test_a_job_adds_to_the_poller(admin: Person) -> None:
    user = unique("cron")
    job = admin.job(NEVER, {"source": "poller", "user": user, "config": {"model": "CMIP5"}})
    admin.scheduler("POST", f"/jobs/{job}/run")
    found = eventually(lambda: admin.get(f"/poller/update/?request=new&user={user}").json(), 30)
    assert [job["model"] for job in found] == ["CMIP5"]


def test_a_job_copies_a_file(admin: Person, share: Share) -> None:
    """A function of the source ``transfer``."""
    name = unique("moved")
    source, target = (share.site(admin, f"{name}/{place}") for place in ("from", "to"))
    (source.path / "data").write_text(name)
    sites = {"src_siteid": source.id, "dst_siteid": target.id, "src_filepath": "/data", "dst_filepath": "/data"}
    job = admin.job(NEVER, {"source": "transfer", "type": "COPY", **sites})
    admin.scheduler("POST", f"/jobs/{job}/run")
    assert eventually(lambda: admin.ended_run(job), 30)["status"] == "success"
    eventually((target.path / "data").exists, 60)
    assert eventually((target.path / "data").read_text, 30) == name


class Hook(BaseHTTPRequestHandler):
    """Answers with what it was sent."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.end_headers()
        self.wfile.write(self.headers["X-Sent-By"].encode() + b": " + body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hook() -> Iterator[str]:
    """A site at an address that the house of these tests allows."""
    with ThreadingHTTPServer(("127.0.0.2", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield f"http://127.0.0.2:{server.server_port}/hook"
        server.shutdown()
        thread.join(10)


@pytest.mark.embedded
def test_a_job_sends_a_request(admin: Person, hook: str) -> None:
    """A function of the source ``http``."""
    code = {"source": "http", "url": hook, "headers": {"X-Sent-By": "cron"}, "expected_status": [201]}
    job = admin.job(NEVER, code, function_input='{"body": "hello"}')
    execution = admin.scheduler("POST", f"/jobs/{job}/run")["id"]
    assert eventually(lambda: admin.ended_run(job), 30)["status"] == "success"
    result = json.loads(admin.scheduler("GET", f"/executions/{execution}")["result"])
    assert result["output"] == {"status": 201, "body": "cron: hello"}


@pytest.mark.parametrize("address", ["http://127.0.0.1:8080/healthz", "http://[::1]/", "http://169.254.169.254/latest"])
def test_a_job_does_not_reach_into_the_house(admin: Person, address: str) -> None:
    job = admin.job(NEVER, {"source": "http", "url": address, "method": "GET"})
    execution = admin.scheduler("POST", f"/jobs/{job}/run")["id"]
    assert eventually(lambda: admin.ended_run(job), 30)["status"] == "failed"
    output = json.loads(admin.scheduler("GET", f"/executions/{execution}")["result"])["output"]
    assert output.endswith("is an internal address")
