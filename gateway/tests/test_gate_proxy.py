"""The gate behind a proxy, and what a scraper elsewhere may see of it."""

import http.client

import pytest

PROXY_SAYS = {"X-Forwarded-For": "198.51.100.9, 203.0.113.7", "X-Forwarded-Proto": "https"}


@pytest.fixture(scope="module")
def services(start_service):
    return {f"upstream_{name}": start_service(name).address for name in ("auth", "tracker")}


@pytest.fixture(scope="module")
def stats_ports(free_ports):
    return dict(zip(("admin_port", "stats_port"), free_ports(2), strict=True))


@pytest.fixture(scope="module")
def behind_one(start_gate, services, stats_ports):
    return start_gate(**services, **stats_ports, gate_trusted_hops=1, gate_throttle_burst=2, gate_throttle_rate=0.05)


def arrived(gate, headers):
    return gate.get("/task/get/1", headers).json["headers"]


def test_the_last_address_is_what_the_proxy_saw_and_the_rest_is_hearsay(behind_one):
    headers = arrived(behind_one, PROXY_SAYS)
    assert headers["x-forwarded-for"] == "203.0.113.7"
    assert headers["x-envoy-external-address"] == "203.0.113.7"
    assert headers["x-forwarded-proto"] == "https"


def test_an_address_in_a_header_of_its_own_is_no_trick(behind_one):
    connection = http.client.HTTPConnection("127.0.0.1", behind_one.port, timeout=20)
    connection.putrequest("GET", "/task/get/1")
    for value in ("198.51.100.9", "203.0.113.7"):
        connection.putheader("X-Forwarded-For", value)
    connection.endheaders()
    body = connection.getresponse().read()
    connection.close()
    assert b'"x-forwarded-for": "203.0.113.7"' in body


def test_two_proxies_in_front_are_counted_from_the_right(start_gate, services):
    gate = start_gate(**services, gate_trusted_hops=2)
    assert arrived(gate, PROXY_SAYS)["x-forwarded-for"] == "198.51.100.9"
    assert arrived(gate, {"X-Forwarded-For": "203.0.113.7"})["x-forwarded-for"] == "127.0.0.1"


def test_a_proxy_that_says_nothing_is_the_client(behind_one):
    headers = arrived(behind_one, {})
    assert (headers["x-forwarded-for"], headers["x-forwarded-proto"]) == ("127.0.0.1", "http")


@pytest.mark.parametrize(
    "name",
    [
        *("X-Forwarded-Host", "X-Forwarded-Prefix", "X-Forwarded-Port", "X-Forwarded-User", "X-Forwarded-Protocol"),
        *("X-Forwarded-Fo", "X-Forwarded-Format", "X-Forwarded-F", "X-Forwarded-Prot", "X-Forwarded-", "Forwarded"),
        *("X-Real-IP", "X-Envoy-External-Address", "X-Envoy-Internal", "X-Taskyard-Principal", "Ssl-Client-Verify"),
    ],
)
def test_nothing_else_that_comes_with_a_proxy_passes(behind_one, name):
    plain = arrived(behind_one, PROXY_SAYS | {"X-Request-ID": "one"})
    assert arrived(behind_one, PROXY_SAYS | {name: "203.0.113.66", "X-Request-ID": "one"}) == plain


def test_each_client_behind_the_proxy_has_a_bucket_of_its_own(behind_one):
    def login(address):
        return behind_one.post("/login", headers={"X-Forwarded-For": address}).status

    assert [login("203.0.113.1") for _ in range(3)] == [200, 200, 429]
    assert login("203.0.113.2") == 200
    assert login("203.0.113.2, 203.0.113.1") == 429


def test_a_scraper_sees_metrics_and_readiness_and_nothing_else(behind_one, stats_ports):
    def ask(method, path):
        connection = http.client.HTTPConnection("127.0.0.1", stats_ports["stats_port"], timeout=20)
        connection.request(method, path)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, body

    arrived(behind_one, {})
    assert ask("GET", "/ready") == (200, b"LIVE\n")
    status, metrics = ask("GET", "/stats/prometheus")
    assert status == 200
    assert b'envoy_cluster_upstream_rq_total{envoy_cluster_name="tracker"}' in metrics
    hidden = ("/", "/quitquitquit", "/config_dump", "/certs", "/stats", "/ready/../quitquitquit", "//quitquitquit")
    assert {ask("GET", path)[0] for path in hidden} == {404}
    assert {ask("POST", path)[0] for path in ("/quitquitquit", "/healthcheck/fail", "/ready")} == {404}
    assert behind_one.get("/stats/prometheus").status == 404
