"""The manifests start what there is, with settings and secrets that the processes understand."""

import importlib
import re
import sys

import pytest
from manifests import COMPONENT, K8S, selects

from embedded.services import SERVICES
from gateway.settings import GateSettings
from workqueue_service.transfer.settings import TransferSettings

sys.path.insert(0, str(K8S))

import make_secrets

REFERENCE = (K8S.parents[1] / "docs" / "reference" / "settings.md").read_text()


def test_every_process_of_the_house_is_there_and_no_other(taskyard):
    wanted = {(row.module, kind) for row in SERVICES for kind in (*row.kinds, "migrate")} | {("gateway",)}
    commands = [one.container["command"] for one in taskyard.processes]
    assert {tuple(command[2:]) for command in commands} == wanted
    assert {tuple(command[:2]) for command in commands} == {("python", "-m")}
    assert len(commands) == len(wanted)


def test_every_variable_is_a_setting(taskyard):
    for one in taskyard.processes:
        ours = {name for name in taskyard.environment(one) if name.startswith("TASKYARD_")}
        assert {name for name in ours if f"`{name}`" not in REFERENCE} <= {"TASKYARD_SECRETS_DIR"}, one.name


@pytest.fixture(params=["dev", "production"])
def place(request):
    """The name of an overlay and the Secrets that are made for it, by namespace and name."""
    made = make_secrets.make(make_secrets.PLACES[request.param])
    return request.param, {(s["metadata"]["namespace"], s["metadata"]["name"]): s["stringData"] for s in made}


def load(one, environment, directory, monkeypatch):
    """Read the settings as the process of a workload would."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    if "TASKYARD_SECRETS_DIR" in environment:
        monkeypatch.setenv("TASKYARD_SECRETS_DIR", str(directory))
    module, kind = (*one.container["command"][2:], "")[:2]
    if module == "gateway":
        return GateSettings.load()
    if kind == "transfer":
        return TransferSettings.load()
    return importlib.import_module(f"{module}.service").service.settings.load()


def test_every_process_can_read_its_settings_and_secrets(place, render, tmp_path, monkeypatch):
    overlay, secrets = place
    taskyard = render(overlay)
    (namespace,) = (entry["metadata"]["name"] for entry in taskyard.of_kind("Namespace"))
    for one in taskyard.processes:
        directory = tmp_path / one.name
        directory.mkdir()
        for name in taskyard.secrets_of(one):
            for file, value in secrets[namespace, name].items():
                (directory / file).write_text(value)
        with monkeypatch.context() as patched:
            settings = load(one, taskyard.environment(one), directory, patched)
        assert (settings.host, settings.port) == ("0.0.0.0", 8080), one.name


def test_every_secret_that_a_server_mounts_is_made(place, render):
    overlay, secrets = place
    names = {name for _, name in secrets}
    taskyard = render(overlay)
    assert {name for one in taskyard.workloads for name in taskyard.secrets_of(one)} <= names


def test_the_operators_find_the_passwords_of_the_roles(render):
    secrets = {
        (s["metadata"]["namespace"], s["metadata"]["name"]): s
        for s in make_secrets.make(make_secrets.PLACES["production"])
    }
    data = render("data")
    for role in data.named("Cluster", "postgres")["spec"]["managed"]["roles"]:
        secret = secrets["taskyard-data", role["passwordSecret"]["name"]]
        assert (secret["type"], secret["stringData"]["username"]) == ("kubernetes.io/basic-auth", role["name"])
    owners = {entry["spec"]["owner"] for entry in data.of_kind("Database")}
    assert owners == {role["name"] for role in data.named("Cluster", "postgres")["spec"]["managed"]["roles"]}
    broker = data.named("RabbitmqCluster", "rabbitmq")["spec"]["secretBackend"]["externalSecret"]["name"]
    assert ("taskyard-data", broker) in secrets


def test_a_service_knows_only_its_own_secrets(taskyard):
    for one in taskyard.processes:
        names = set(taskyard.secrets_of(one))
        service, component = one.labels["app.kubernetes.io/name"], one.labels[COMPONENT]
        wanted = {
            "gate": set(),
            "transfer": {"taskyard-house"},
        }.get(component, {f"taskyard-{service}", "taskyard-house", "taskyard-broker"})
        assert names == wanted


def test_services_lead_to_ports_that_are_open(taskyard):
    for service in taskyard.of_kind("Service"):
        pods = [one for one in taskyard.workloads if service["spec"]["selector"].items() <= one.labels.items()]
        assert pods, service["metadata"]["name"]
        for port in service["spec"]["ports"]:
            assert all(port["targetPort"] in one.ports for one in pods)


def test_every_address_in_the_settings_is_a_service(taskyard):
    ports = {
        (service["metadata"]["name"], port["port"])
        for service in taskyard.of_kind("Service")
        for port in service["spec"]["ports"]
    }
    values = [value for entry in taskyard.of_kind("ConfigMap") for value in entry["data"].values()]
    addresses = [found for value in values for found in re.findall(r"^(?:http://)?([a-z-]+):(\d+)$", value)]
    assert len(addresses) == 8
    assert {(host, int(port)) for host, port in addresses} <= ports
    assert ("gate", 80) in ports


def test_postgresql_has_a_connection_for_everybody(render):
    production, data = render("production"), render("data")
    most = {
        entry["spec"]["scaleTargetRef"]["name"]: entry["spec"]["maxReplicas"]
        for entry in production.of_kind("HorizontalPodAutoscaler")
    }
    service_settings = importlib.import_module("chassis.settings").Settings
    each = service_settings.model_fields["database_connections"].default + 2  # and those that listen
    wanted = sum(
        (most.get(one.name) or one.spec.get("replicas", 1)) * each
        for one in production.processes
        if one.labels[COMPONENT] not in ("gate", "transfer")
    )
    limit = int(data.named("Cluster", "postgres")["spec"]["postgresql"]["parameters"]["max_connections"])
    assert wanted < limit


def test_selectors_of_budgets_and_policies_select_somebody(taskyard):
    for entry in taskyard.of_kind("PodDisruptionBudget", "NetworkPolicy"):
        selector = entry["spec"].get("selector", entry["spec"].get("podSelector"))
        assert any(selects(selector, one.labels) for one in taskyard.workloads), entry["metadata"]["name"]
