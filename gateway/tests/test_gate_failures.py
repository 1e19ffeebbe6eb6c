"""Services that are away, hang or come back."""

import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

PATHS = {
    "auth": "/account",
    "tracker": "/task/get/1",
    "workqueue": "/workqueue/api/v1.0/jobs",
    "scheduler": "/v1/jobs",
    "poller": "/poller/update/",
}


def _body(service, message):
    if service == "scheduler":
        return {"faultcode": "Server", "faultstring": message, "debuginfo": None}  # spec: scheduler 1.4
    return {"ok": False, "message": message} if service in ("auth", "tracker") else {"error": message}


@pytest.fixture(scope="module")
def deserted(start_gate, free_ports):
    """A gate with nothing behind it, and the ports where the services should be."""
    ports = dict(zip(PATHS, free_ports(len(PATHS)), strict=True))
    gate = start_gate(**{f"upstream_{name}": f"127.0.0.1:{port}" for name, port in ports.items()})
    return gate, ports


@pytest.fixture(scope="module")
def impatient(start_gate, start_service, impatient_dir):
    """A gate that waits half a second for its services."""
    services = {name: start_service(name) for name in PATHS}
    addresses = {f"upstream_{name}": service.address for name, service in services.items()}
    return start_gate(**addresses, gateway_dir=impatient_dir), services


@pytest.mark.parametrize("service", PATHS)
def test_service_that_is_down_gives_503_in_the_style_of_its_clients(deserted, service):
    gate, _ = deserted
    started = time.monotonic()
    answer = gate.get(PATHS[service])
    assert time.monotonic() - started < 1
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json == _body(service, "The service is not available, try again")
    assert answer.headers["x-request-id"]


def test_alias_keeps_the_style(deserted):
    assert deserted[0].get("/api/account").json == _body("auth", "The service is not available, try again")


@pytest.mark.parametrize("service", ["tracker", "poller"])
def test_service_that_comes_back_is_served_at_once(deserted, start_service, service):
    gate, ports = deserted
    for _ in range(40):  # more failures than any ejection threshold
        assert gate.get(PATHS[service]).status == 503
    revived = start_service(service, ports[service])
    started = time.monotonic()
    while gate.get(PATHS[service]).status != 200:
        assert time.monotonic() - started < 1.5, "still refused long after the service came back"
        time.sleep(0.02)
    revived.stop()


def test_restart_under_load_is_not_remembered(deserted, start_service):
    gate, ports = deserted
    for _ in range(3):
        service = start_service("auth", ports["auth"])
        assert gate.get("/account").status == 200
        service.stop()
        assert gate.get("/account").status == 503


@pytest.mark.parametrize("service", PATHS)
def test_service_that_hangs_gives_504_in_the_style_of_its_clients(impatient, service):
    gate, _ = impatient
    answer = gate.get(PATHS[service] + "?hang")
    assert (answer.status, answer.headers["retry-after"]) == (504, "1")
    assert answer.json == _body(service, "The service did not answer in time")


@pytest.mark.parametrize(("method", "path"), [("GET", "/task/get/7?hang"), ("POST", "/task/release?hang")])
def test_request_that_reached_the_service_is_not_repeated(impatient, method, path):
    gate, services = impatient
    before = len(services["tracker"].seen)
    assert gate.send(method, path).status == 504
    assert len(services["tracker"].seen) == before + 1


@pytest.mark.parametrize(("method", "attempts"), [("GET", 3), ("POST", 1)])
def test_only_reads_are_repeated_when_the_connection_breaks(impatient, method, attempts):
    gate, services = impatient
    before = len(services["tracker"].seen)
    answer = gate.send(method, "/project/break")
    assert answer.status == 503
    assert len(services["tracker"].seen) == before + attempts


def test_lease_is_not_repeated_when_the_connection_breaks(impatient):
    gate, services = impatient
    before = len(services["tracker"].seen)
    assert gate.get("/task/get/break").status == 503
    assert len(services["tracker"].seen) == before + 1


def test_service_that_is_not_configured_is_not_routed(start_gate, start_service):
    service = start_service("any")
    gate = start_gate(upstream_auth=service.address, upstream_tracker=service.address)
    for name in ("workqueue", "scheduler", "poller"):
        answer = gate.get(PATHS[name])
        assert (answer.status, answer.headers["content-type"]) == (404, "application/json")
    assert gate.get("/v1/jobs").json == {"faultcode": "Client", "faultstring": "Not found", "debuginfo": None}
    assert gate.get("/poller/update/").json == {"error": "Not found"}
    assert service.seen == []


def test_one_bad_replica_is_set_aside(start_gate, start_service, free_ports):
    good = start_service("auth")
    (bad,) = free_ports(1)
    gate = start_gate(upstream_auth=f"127.0.0.1:{bad},{good.address}", upstream_tracker=good.address)
    assert [gate.get("/account").status for _ in range(40)] == [200] * 40
    stats = gate.admin("/stats?filter=cluster.auth.outlier_detection.ejections_active").body
    assert stats.split()[-1] == b"1"


def test_name_of_a_service_is_resolved(start_gate, start_service):
    port = start_service("tracker").address.rpartition(":")[2]
    gate = start_gate(upstream_auth=f"localhost:{port}", upstream_tracker=f"localhost:{port}")
    assert gate.get("/task/get/1").status == 200


def test_drained_gate_takes_no_more_and_finishes_what_it_has(start_gate, start_service, run_gateway, wait_for):
    service = start_service("tracker")
    upstreams = {"upstream_auth": service.address, "upstream_tracker": service.address}
    gate = start_gate(**upstreams)

    def refuses():
        try:
            return gate.get("/healthz") and False
        except ConnectionResetError:  # it waited to be accepted when the listener closed
            return False
        except ConnectionRefusedError:
            return True

    with ThreadPoolExecutor(2) as pool:
        request = pool.submit(gate.get, "/task/get/1?hold")
        wait_for(lambda: service.seen, "request at the service")
        drained = pool.submit(run_gateway, "drain", **upstreams, data=gate.data)
        wait_for(refuses, "closed listener")
        assert not drained.done()
        service.released.set()
        assert drained.result().returncode == 0
        assert (request.result().status, request.result().headers["connection"]) == (200, "close")


def test_drain_gives_up_at_the_end_of_the_grace_time(start_gate, start_service, run_gateway, wait_for):
    service = start_service("tracker")
    upstreams = {"upstream_auth": service.address, "upstream_tracker": service.address}
    gate = start_gate(**upstreams)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(gate.get, "/task/get/1?hold")
        wait_for(lambda: service.seen, "request at the service")
        result = run_gateway("drain", **upstreams, data=gate.data, shutdown_grace=0.1)
        service.released.set()
    assert (result.returncode, result.stderr) == (1, "gateway: 1 requests are still running after 0.1 s\n")


def test_drain_without_a_gate_says_so(run_gateway, free_ports):
    (port,) = free_ports(1)
    result = run_gateway("drain", upstream_auth="x:1", upstream_tracker="x:1", admin_port=port)
    assert result.returncode == 1
    assert result.stderr.startswith(f"gateway: no gate answers at 127.0.0.1:{port}: ")


def test_an_attended_gate_finishes_what_it_has_before_it_ends(start_gate, start_service, wait_for):
    service = start_service("tracker")
    gate = start_gate("attend", upstream_auth=service.address, upstream_tracker=service.address)
    with ThreadPoolExecutor(1) as pool:
        request = pool.submit(gate.get, "/task/get/1?hold")
        wait_for(lambda: service.seen, "request at the service")
        gate.process.terminate()
        wait_for(lambda: gate.admin("/ready").status == 503, "gate that drains")
        service.released.set()
        assert request.result().status == 200
    assert gate.process.wait(20) == 0


def test_an_attended_gate_ends_when_envoy_does(start_gate, start_service):
    service = start_service("tracker")
    gate = start_gate("attend", upstream_auth=service.address, upstream_tracker=service.address)
    gate.send("GET", "/healthz")
    (envoy,) = psutil.Process(gate.process.pid).children()
    envoy.kill()
    assert gate.process.wait(20) != 0
