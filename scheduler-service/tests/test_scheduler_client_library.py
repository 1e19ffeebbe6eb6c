"""The reference's own client, unmodified: python-qinlingclient (spec: scheduler 6)."""

import json
import threading
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from flask import Flask
from qinlingclient.client import Client
from werkzeug.serving import make_server

from chassis.database import Database
from chassis.identity import Kind, Principal
from chassis.testing.identity import KnownPrincipals
from scheduler_service.engine.firing import Firing
from scheduler_service.engine.plans import Rules
from scheduler_service.runner.preparing import Preparing
from scheduler_service.sources.http import HttpRunner
from scheduler_service.sources.leases import Leases
from scheduler_service.sources.pool import Pool


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """The application on a port of its own."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.fixture
def qinling(address: str, known: KnownPrincipals) -> Any:
    """The client, with a token of project 3."""
    known.add_token("t", Principal(Kind.ACCOUNT, 3, "ada", tenant="3"))
    return Client("1", address, token="t")


def test_a_package_and_a_job_of_it(qinling: Any, zipped: Any) -> None:
    """spec: scheduler 6.1, 6.4, 9."""
    [runtime] = qinling.runtimes.list()
    function = qinling.functions.create(
        {"source": "package"}, runtime=runtime.id, package=zipped("def main(**kwargs): return 1")[0], name="hello"
    )
    assert (function.entry, function.code["source"]) == ("main.main", "package")
    assert qinling.functions.find(name="hello").id == function.id
    job = qinling.jobs.create(function_id=function.id, pattern="0 2 * * *", name="nightly")
    assert (job.status, job.next_execution_time) == ("running", "2026-11-23T02:00:00Z")
    assert [item.id for item in qinling.jobs.list()] == [job.id]
    assert qinling.jobs.update(job.id, status="paused").status == "paused"
    assert qinling.jobs.get(job.id).status == "paused"
    with pytest.raises(Exception, match=r"Invalid status\. \(HTTP 400\)"):
        qinling.jobs.update(job.id, status="done")
    with pytest.raises(Exception, match=r"still associated with running job\(s\)\. \(HTTP 403\)"):
        qinling.functions.delete(function.id)
    qinling.jobs.delete(job.id)
    qinling.functions.delete(function.id)
    assert qinling.functions.list() == []


def test_a_job_fires_and_its_execution_has_a_result(qinling: Any, address: str, database: Database, clock: Any) -> None:
    """spec: scheduler 6.4."""
    code = {"source": "http", "url": f"{address}/v1", "method": "GET"}
    function = qinling.functions.create(code, None, None, name="look")
    job = qinling.jobs.create(function_id=function.id, first_execution_time="2026-11-22 05:44:00")
    clock.forward(minutes=2)
    Firing(database, Rules(), 3600, lambda _: clock.now).fire()
    pool = Pool(Leases(database), {"http": HttpRunner([ip_network("127.0.0.0/8")])}, 2)
    pool.start()
    pool.turn()
    pool.stop(20)
    assert qinling.jobs.get(job.id).status == "done"
    [execution] = qinling.function_executions.list(description=f"has:{job.id}")
    assert (execution.status, execution.sync) == ("success", False)
    assert json.loads(execution.result)["output"]["status"] == 200


def test_versions_and_aliases(qinling: Any, zipped: Any) -> None:
    """spec: scheduler 6.4."""
    [runtime] = qinling.runtimes.list()
    package = zipped("a = 1")[0]
    function = qinling.functions.create({"source": "package"}, runtime=runtime.id, package=package)
    assert qinling.function_versions.create(function.id, "first").version_number == 1
    assert [item.version_number for item in qinling.function_versions.list(function.id)] == [1]
    alias = qinling.function_aliases.create("now", function.id)
    assert (
        qinling.function_aliases.update(alias.name, function_id=function.id, function_version="1").function_version == 1
    )
    execution = qinling.function_executions.create(None, sync=False, function_alias="now", input='{"a": 1}')
    assert (execution.status, execution.function_version) == ("running", 1)


def test_runtimes(qinling: Any, address: str, known: KnownPrincipals, database: Database) -> None:
    """spec: scheduler 5.6, 6.4."""
    known.add_token("a", Principal(Kind.ACCOUNT, 1, "root", tenant="1", admin=True))
    admin = Client("1", address, token="a")
    runtime = admin.runtimes.create("python:3.13-slim", name="slim", description="small")
    assert (runtime.name, runtime.status, runtime.is_public) == ("slim", "creating", True)
    Preparing(database, lambda image: None).turn()
    assert qinling.runtimes.find(name="slim").status == "available"
    with pytest.raises(Exception, match=r"Operation not allowed \(HTTP 403\)"):
        qinling.runtimes.delete(runtime.id)
    admin.runtimes.delete(runtime.id)
    assert [item.name for item in qinling.runtimes.list()] == ["python3"]
