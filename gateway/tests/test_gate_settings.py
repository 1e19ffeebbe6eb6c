"""The settings, the route table and the start of the gate."""

import ssl
import subprocess
import urllib.request

import pytest

from gateway.endpoint import Endpoint, parse_endpoint
from gateway.errors import BrokenRoutes
from gateway.routes import load_routes
from gateway.sizes import parse_size

TWO = {"upstream_auth": "127.0.0.1:9101", "upstream_tracker": "127.0.0.1:9102"}
ALL = TWO | {
    "upstream_workqueue": "workqueue:9103",
    "upstream_scheduler": "[::1]:9104",
    "upstream_poller": "10.0.0.1:9105,10.0.0.2:9105",
}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tls")
    certificate, key = directory / "cert.pem", directory / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *subject, *files], check=True, capture_output=True)
    return certificate, key


def test_envoy_accepts_the_configuration_with_everything_on(run_gateway, certificate):
    result = run_gateway("validate", **ALL, tls_cert=certificate[0], tls_key=certificate[1])
    assert (result.returncode, result.stdout) == (0, "the configuration is valid\n")


@pytest.mark.parametrize("more", [{}, {"log_level": "WARNING", "log_format": "console"}], ids=["default", "log"])
def test_envoy_accepts_the_smallest_configuration(run_gateway, more):
    assert run_gateway("validate", **TWO, **more).returncode == 0


def test_render_prints_the_configuration_and_no_route_to_internal(run_gateway):
    result = run_gateway("render", **ALL)
    assert result.returncode == 0
    assert '"/task/get"' in result.stdout
    assert "internal/" not in result.stdout


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"upstream_auth": ""}, "TASKYARD_UPSTREAM_AUTH is missing"),
        ({"upstream_auth": "", "upstream_tracker": ""}, "TASKYARD_UPSTREAM_TRACKER is missing"),
        ({"upstream_auth": "localhost"}, "TASKYARD_UPSTREAM_AUTH: Value error, expected host:port, got 'localhost'"),
        ({"upstream_tracker": "x:99999"}, "TASKYARD_UPSTREAM_TRACKER: Value error, expected host:port"),
        ({"port": "eighty"}, "TASKYARD_PORT: "),
        ({"port": "70000"}, "TASKYARD_PORT: "),
        ({"gate_throttle_rate": "0"}, "TASKYARD_GATE_THROTTLE_RATE: "),
        ({"tls_cert": "/etc/hostname"}, "TASKYARD_TLS_CERT and TASKYARD_TLS_KEY belong together"),
        ({"stats_port": "0", "admin_port": "0"}, "TASKYARD_STATS_PORT needs a fixed TASKYARD_ADMIN_PORT"),
        ({"gate_trusted_hops": "-1"}, "TASKYARD_GATE_TRUSTED_HOPS: "),
        ({"tls_cert": "/no/cert", "tls_key": "/no/key"}, "cannot read /no/cert"),
        ({"tls_cert": "/etc/passwd", "tls_key": "/etc/passwd"}, "envoy refuses"),
        ({"gateway_dir": "/no/gateway"}, "/no/gateway/routes.toml: No such file or directory"),
    ],
)
def test_broken_setting_is_named_in_one_line(run_gateway, change, complaint):
    result = run_gateway("run", **TWO | change)
    assert result.returncode == 1
    assert result.stderr.startswith("gateway: ")
    assert complaint in result.stderr
    assert "Traceback" not in result.stderr


def test_port_that_is_taken_ends_the_gate(run_gateway, start_gate, start_service):
    service = start_service("any").address
    upstreams = {"upstream_auth": service, "upstream_tracker": service}
    gate = start_gate(**upstreams)
    second = run_gateway("run", **upstreams, port=gate.port, admin_port=0)
    assert second.returncode != 0
    assert "Address already in use" in second.stdout + second.stderr


def test_configuration_is_private_and_the_gate_ends_on_sigterm(start_gate, start_service):
    service = start_service("any").address
    gate = start_gate(upstream_auth=service, upstream_tracker=service)
    config = gate.data / "gateway" / "envoy.yaml"
    assert config.stat().st_mode & 0o777 == 0o600
    assert config.parent.stat().st_mode & 0o777 == 0o700
    gate.process.terminate()
    assert gate.process.wait(10) == 0


def test_tls_is_served(start_gate, start_service, certificate):
    service = start_service("tracker").address
    gate = start_gate(upstream_auth=service, upstream_tracker=service, tls_cert=certificate[0], tls_key=certificate[1])
    context = ssl.create_default_context(cafile=str(certificate[0]))
    with urllib.request.urlopen(f"https://127.0.0.1:{gate.port}/task/get/1", context=context) as answer:
        assert b'"x-forwarded-proto": "https"' in answer.read()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:80", Endpoint("127.0.0.1", 80)),
        ("[::1]:80", Endpoint("::1", 80)),
        ("auth:9101", Endpoint("auth", 9101)),
    ],
)
def test_endpoint(text, expected):
    assert parse_endpoint(text) == expected


def test_addresses_need_no_name_server():
    assert [Endpoint(host, 1).is_address for host in ("::1", "10.0.0.1", "auth")] == [True, True, False]


@pytest.mark.parametrize("text", ["", "auth", ":80", "auth:", "auth:0", "auth:x", "auth:65536", "auth:²"])
def test_broken_endpoint(text):
    with pytest.raises(ValueError, match="expected host:port"):
        parse_endpoint(text)


def test_sizes():
    assert [parse_size(text) for text in ("12B", "64KiB", "4 MiB")] == [12, 65536, 4194304]
    with pytest.raises(ValueError, match="not a size"):
        parse_size("4MB")


SERVICE = '[service.a]\nstyle = "tracker"\ntimeout = 1\nbody_limit = "1KiB"\nretry = "connect"\n'


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[service", "routes.toml: "),
        (SERVICE, "route: Field required"),
        (SERVICE + '[[route]]\npath = "/x"\nservice = "b"\n', "rows of unknown services: b"),
        (SERVICE + '[[route]]\npath = "/x"\nprefix = "/x/"\nservice = "a"\n', "one of path, prefix, subtree, regex"),
        (SERVICE + '[[route]]\nservice = "a"\n', "one of path, prefix, subtree, regex"),
        (SERVICE + '[[route]]\npath = "x"\nservice = "a"\n', "starts with /"),
        (SERVICE + '[[route]]\npath = "/x"\nservice = "a"\nretrys = "read"\n', "retrys"),
        (SERVICE + '[[route]]\npath = "/x"\nservice = "a"\nbody_limit = "big"\n', "not a size"),
    ],
)
def test_broken_route_table_is_explained(tmp_path, text, complaint):
    (tmp_path / "routes.toml").write_text(text)
    with pytest.raises(BrokenRoutes, match=complaint):
        load_routes(tmp_path / "routes.toml")


def test_row_takes_its_service_defaults_and_its_alias_follows(tmp_path):
    text = SERVICE.replace("timeout", "api_alias = true\ntimeout")
    text += '[[route]]\npath = "/x"\nmethod = "POST"\nservice = "a"\ntimeout = 2\n'
    (tmp_path / "routes.toml").write_text(text)
    first, alias = load_routes(tmp_path / "routes.toml").routes
    assert (first.pattern, first.timeout, first.body_limit, first.aliased) == ("/x", 2, 1024, False)
    assert (alias.pattern, alias.timeout, alias.body_limit, alias.aliased) == ("/api/x", 2, 1024, True)
    assert alias.name == "POST /api/x"
