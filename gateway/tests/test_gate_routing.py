"""Which request reaches which service, and what arrives there."""

import json
import socket

import pytest


@pytest.fixture(scope="module")
def gate(start_gate, start_service):
    return start_gate(
        upstream_auth=start_service("auth").address,
        upstream_tracker=start_service("tracker").address,
        upstream_scheduler=start_service("scheduler").address,
        upstream_workqueue=start_service("workqueue").address,
        upstream_poller=start_service("poller").address,
        log_format="console",
    )


ROUTES = [
    ("GET", "/", "tracker"),
    ("GET", "/task/get", "tracker"),
    ("GET", "/task/get/1", "tracker"),
    ("POST", "/task/submit", "tracker"),
    ("POST", "/task/bulk_submit", "tracker"),
    ("POST", "/task/bulk_release", "tracker"),
    ("GET", "/project/list", "tracker"),
    ("POST", "/project/create", "tracker"),
    ("POST", "/log/info", "tracker"),
    ("POST", "/logs", "tracker"),
    ("POST", "/git/receivehook", "tracker"),
    ("GET", "/worker/stats", "tracker"),
    ("POST", "/worker/stats", "tracker"),
    ("GET", "/manager/list_for_project/1", "tracker"),
    ("POST", "/manager/set_role_for_project/1", "tracker"),
    ("POST", "/worker/create", "auth"),
    ("GET", "/worker/get/1", "auth"),
    ("GET", "/worker/stats/", "auth"),
    ("GET", "/manager/list", "auth"),
    ("GET", "/manager/promote/1", "auth"),
    ("POST", "/register", "auth"),
    ("POST", "/login", "auth"),
    ("GET", "/login", "auth"),
    ("GET", "/logout", "auth"),
    ("GET", "/account", "auth"),
    ("POST", "/auth/token", "auth"),
    ("GET", "/auth/jwks.json", "auth"),
    ("DELETE", "/auth/keys/1", "auth"),
]


@pytest.mark.parametrize(("method", "path", "service"), ROUTES)
@pytest.mark.parametrize("alias", ["", "/api"])
def test_path_belongs_to_its_service_with_and_without_the_alias(gate, method, path, service, alias):
    answer = gate.send(method, f"{alias}{path}?x=1")
    assert (answer.status, answer.json["service"], answer.json["path"]) == (200, service, f"{path}?x=1")
    assert answer.json["method"] == method


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/v1", "scheduler"),
        ("/v1/", "scheduler"),
        ("/v1/jobs", "scheduler"),
        ("/workqueue/api/v1.0/jobs", "workqueue"),
        ("/site/api/v1.0/site", "workqueue"),
        ("/poller/update/", "poller"),
        ("/poller/update", "poller"),
    ],
)
def test_other_queues_are_routed_when_they_are_configured(gate, path, service):
    assert gate.get(path).json["service"] == service


@pytest.mark.parametrize(
    ("sent", "arrives"),
    [
        ("//task/get/1", "/task/get/1"),  # spec: tracker 1.1
        ("/task//get///1", "/task/get/1"),
        ("/api//task/get/1", "/task/get/1"),
        ("/t%61sk/get/1", "/task/get/1"),
        ("/task%2Fget%2F1", "/task/get/1"),
        ("/task/./get/1", "/task/get/1"),
        ("/worker/../task/get/1", "/task/get/1"),
        ("/task/get/1?next=%2e%2e//x", "/task/get/1?next=%2e%2e//x"),
        ("http://elsewhere.example/task/get/1", "/task/get/1"),
    ],
)
def test_path_is_cleaned_before_routing(gate, sent, arrives):
    answer = gate.get(sent)
    assert (answer.json["service"], answer.json["path"]) == ("tracker", arrives)


@pytest.mark.parametrize(
    "path",
    [
        *("/nothing", "/task", "/worker", "/Task/get/1", "/api", "/api/nothing", "/api/v1/jobs", "/v1x", "/v2/jobs"),
        *("/login/", "/logs/", "/poller", "/healthz/", "/metrics", "/readyz"),
    ],
)
def test_unknown_path_is_answered_as_the_tracker_does(gate, path):
    answer = gate.get(path)
    assert (answer.status, answer.body) == (404, b"Not found")  # spec: tracker 1.1
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["server"] == "task_tracker"


@pytest.mark.parametrize(
    "path",
    [
        "/internal/resolve",
        "/internal",
        "//internal/resolve",
        "/api/internal/resolve",
        "/api//internal/resolve",
        "/task/../internal/resolve",
        "/task/..%2finternal/resolve",
        "/task/%2e%2e/internal/resolve",
        "/task/..\\internal/resolve",
        "/task/..%5cinternal/resolve",
        "/api/task/../../internal/resolve",
        "/api/task/../internal/resolve",
        "/%69nternal/resolve",
        "/%2finternal/resolve",
        "/./internal/resolve",
        "/api/../internal/resolve",
        "/v1/../internal/resolve",
        "http://127.0.0.1/internal/resolve",
    ],
)
def test_internal_paths_are_out_of_reach(gate, path):
    for method in ("GET", "POST"):
        assert gate.send(method, path).status == 404


def test_twice_encoded_dots_stay_a_name(gate):
    """What the gate did not resolve, the service will not either: it decodes once."""
    assert gate.get("/task/%252e%252e/internal/x").json["path"] == "/task/%252e%252e/internal/x"


def test_preflight_goes_to_the_services_and_is_answered_for_unknown_paths(gate):
    assert gate.send("OPTIONS", "/task/submit").json["service"] == "tracker"
    assert gate.send("OPTIONS", "/api/login").json["service"] == "auth"
    unknown = gate.send("OPTIONS", "/nothing")
    assert (unknown.status, unknown.body) == (200, b"")  # spec: tracker 1.1
    assert unknown.headers["access-control-allow-origin"] == "*"
    assert unknown.headers["access-control-allow-methods"] == "GET, POST, OPTION"
    assert unknown.headers["access-control-allow-headers"] == "Content-Type"


def test_health_of_the_gate_itself(gate):
    answer = gate.get("/healthz")
    assert (answer.status, answer.body) == (200, b"ok")


def test_answer_of_a_service_names_no_software_but_the_tracker(gate):
    headers = gate.get("/project/list").headers
    assert headers["server"] == "task_tracker"  # spec: tracker 1.1
    assert headers["content-type"] == "application/json"
    assert not [name for name in headers if name.startswith("x-envoy-")]


FORGED = {
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Prefix": "/x",
    "Forwarded": "for=203.0.113.7",
    "X-Real-IP": "203.0.113.7",
    "X-Client-IP": "203.0.113.7",
    "X-Envoy-External-Address": "203.0.113.7",
    "X-Envoy-Internal": "true",
    "X-Envoy-Upstream-Rq-Timeout-Ms": "1",
    "X-Envoy-Retry-On": "5xx",
    "X-Taskyard-Principal": "admin",
    "X-TASKYARD-Account": "1",
    "X-Remote-User": "admin",
    "Remote-User": "admin",
    "Ssl-Client-Verify": "SUCCESS",
    "Ssl-Client-S-Dn": "CN=worker",
    "SSL_CLIENT_VERIFY": "SUCCESS",
    "X_Worker_ID": "1",
    "X_Forwarded_For": "203.0.113.7",
    "Proxy": "http://evil.example",
}


def test_headers_that_claim_an_identity_or_an_address_do_not_pass(gate):
    plain = gate.get("/task/get/1", {"X-Request-ID": "one"}).json["headers"]
    forged = gate.get("/task/get/1", FORGED | {"X-Request-ID": "one"}).json["headers"]
    assert forged == plain
    assert plain["x-forwarded-for"] == "127.0.0.1"
    assert plain["x-envoy-external-address"] == "127.0.0.1"
    assert plain["x-forwarded-proto"] == "http"


def test_credentials_and_trace_headers_pass(gate):
    sent = {
        "X-Worker-ID": "7",
        "X-Secret": "c2VjcmV0",
        "Authorization": "Bearer x.y.z",
        "X-Auth-Token": "token",
        "X-Token": "token",
        "Cookie": "tt=abc",
        "Idempotency-Key": "k",
        "X-Gogs-Signature": "00",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "tracestate": "a=b",
    }
    arrived = gate.get("/task/get/1", sent).json["headers"]
    assert {name: arrived.get(name.lower()) for name in sent} == sent


def test_request_id_is_made_and_returned(gate):
    first, second = gate.get("/task/get/1"), gate.get("/nothing")
    assert first.json["headers"]["x-request-id"] == first.headers["x-request-id"]
    assert len({first.headers["x-request-id"], second.headers["x-request-id"]}) == 2


def test_request_id_from_outside_is_kept_but_cut(gate):
    assert gate.get("/task/get/1", {"X-Request-ID": "my-id_1"}).headers["x-request-id"] == "my-id_1"
    long = gate.get("/task/get/1", {"X-Request-ID": "a" * 500})
    assert long.headers["x-request-id"] == "a" * 64 == long.json["headers"]["x-request-id"]


def test_old_protocol_is_served(gate):
    with socket.create_connection(("127.0.0.1", gate.port), timeout=10) as connection:
        connection.sendall(b"GET /task/get/1 HTTP/1.0\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.0 200 OK")


def test_offer_of_another_protocol_is_ignored(gate):
    answer = gate.get("/task/get/1", {"Connection": "Upgrade", "Upgrade": "h2c"})
    assert answer.json["path"] == "/task/get/1"


def test_metrics_are_on_the_admin_port_alone(gate):
    gate.get("/task/get/1")
    metrics = gate.admin("/stats/prometheus").body.decode()
    assert 'envoy_cluster_upstream_rq_total{envoy_cluster_name="tracker"}' in metrics
    assert gate.get("/stats/prometheus").status == 404
    assert gate.admin("/listeners").status == 200


def test_access_log_is_json_without_the_query(gate, wait_for):
    gate.get("/task/get/1?secret=hush", {"X-Request-ID": "logged-request", "User-Agent": 'a"\\b'})
    line = wait_for(
        lambda: next((row for row in gate.log.read_text().splitlines() if "logged-request" in row), None),
        "access log line",
    )
    entry = json.loads(line)
    assert "hush" not in line
    assert (entry["method"], entry["path"], entry["status"]) == ("GET", "/task/get/1", 200)
    assert (entry["client"], entry["route"], entry["agent"]) == ("127.0.0.1", "GET /task/get", 'a"\\b')
