"""Every object is what Kubernetes accepts, and every pod is what a careful operator wants."""

import re
import tomllib

import jsonschema
import kubernetes_validate
import pytest
import yaml
from manifests import COMPONENT, K8S, selects

VERSIONS = ("1.29", kubernetes_validate.latest_version())
VERSION = tomllib.loads((K8S.parents[1] / "gateway" / "pyproject.toml").read_text())["project"]["version"]
FIXED_IMAGE = re.compile(r"[a-z0-9./-]+:\d+\.\d+(\.\d+)?(-[a-z]+)?")


@pytest.fixture(scope="module")
def custom_schemas():
    return yaml.safe_load((K8S.parent / "tests" / "custom_resources.yaml").read_text())


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_valid(overlay, custom_schemas, version):
    for entry in overlay.objects:
        kind = f"{entry['apiVersion']} {entry['kind']}"
        if kind in custom_schemas:
            jsonschema.validate(entry["spec"], {"$defs": custom_schemas["$defs"]} | custom_schemas[kind])
        else:
            kubernetes_validate.validate(entry, version, strict=True)


def test_every_object_has_its_own_name_and_the_namespace_of_the_overlay(overlay):
    (namespace,) = (entry["metadata"]["name"] for entry in overlay.of_kind("Namespace"))
    names = [(entry["apiVersion"], entry["kind"], entry["metadata"]["name"]) for entry in overlay.objects]
    assert len(names) == len(set(names))
    assert {e["metadata"].get("namespace") for e in overlay.objects if e["kind"] != "Namespace"} == {namespace}


def test_no_secret_is_in_the_manifests(overlay):
    assert overlay.of_kind("Secret") == []


def test_images_are_fixed_and_jobs_are_named_after_their_version(taskyard):
    for one in taskyard.workloads:
        assert FIXED_IMAGE.fullmatch(one.container["image"]), one.container["image"]
    for one in taskyard.processes:
        assert one.container["image"].endswith(f":{VERSION}")
        if one.kind == "Job":
            assert one.name.endswith("migrate-" + VERSION.replace(".", "-"))


def test_images_of_the_operators_are_fixed(render):
    data = render("data")
    images = [entry["spec"]["imageName"] for entry in data.of_kind("Cluster")]
    images += [entry["spec"]["image"] for entry in data.of_kind("RabbitmqCluster")]
    assert all(FIXED_IMAGE.fullmatch(image) for image in images)


def test_everything_that_runs_on_has_three_probes(taskyard):
    for one in taskyard.workloads:
        if one.kind != "Job":
            assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(one.container), one.name


def test_everything_has_requests_and_limits(taskyard):
    for one in taskyard.workloads:
        resources = one.container["resources"]
        assert all(set(resources[part]) == {"cpu", "memory"} for part in ("requests", "limits")), one.name


def test_pods_pass_the_restricted_standard_and_more(taskyard):
    for one in taskyard.workloads:
        pod, container = one.pod["securityContext"], one.container["securityContext"]
        assert pod["runAsNonRoot"]
        assert pod["runAsUser"] > 0
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        allowed = {"emptyDir", "configMap", "secret", "projected"}
        assert all(set(volume) - {"name"} <= allowed for volume in one.pod["volumes"])
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(one.pod)


def test_data_of_the_servers_stays_closed_to_their_group(render):
    """Kubernetes opens volumes to `fsGroup` at each mount; PostgreSQL and Erlang refuse to start with such files."""
    servers = [one for one in render("dev").workloads if one.kind == "StatefulSet"]
    assert [one.name for one in servers] == ["postgres", "rabbitmq"]
    assert {one.pod["securityContext"]["fsGroupChangePolicy"] for one in servers} == {"OnRootMismatch"}


def test_pods_get_no_token_and_no_variables_from_services(taskyard):
    assert all(e["automountServiceAccountToken"] is False for e in taskyard.of_kind("ServiceAccount"))
    for one in taskyard.workloads:
        assert one.pod["automountServiceAccountToken"] is False
        assert one.pod["enableServiceLinks"] is False
        assert one.pod["serviceAccountName"] == "taskyard"


def test_every_deployment_has_one_disruption_budget_that_lets_pods_move(taskyard):
    for one in taskyard.workloads:
        if one.kind != "Deployment":
            continue
        budgets = [
            entry["spec"]
            for entry in taskyard.of_kind("PodDisruptionBudget")
            if selects(entry["spec"]["selector"], one.labels)
        ]
        assert [budget["maxUnavailable"] for budget in budgets] == [1], one.name


def test_selectors_of_deployments_do_not_overlap(taskyard):
    for one in taskyard.workloads:
        if one.kind != "Job":
            matched = [other.name for other in taskyard.workloads if selects(one.spec["selector"], other.labels)]
            assert matched == [one.name]


def test_what_scales_by_itself_has_no_fixed_number(taskyard):
    scaled = {e["spec"]["scaleTargetRef"]["name"] for e in taskyard.of_kind("HorizontalPodAutoscaler")}
    deployments = [one for one in taskyard.workloads if one.kind == "Deployment"]
    assert {one.name for one in deployments if "replicas" not in one.spec} == scaled


def test_a_rollout_takes_nothing_away_before_its_successor_is_ready(taskyard):
    for one in taskyard.workloads:
        if one.kind == "Deployment":
            assert one.spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_pods_have_the_time_to_end_in_order(taskyard):
    for one in taskyard.processes:
        if one.kind == "Job":
            continue
        words = " ".join(one.container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", []))
        away = int(found[1]) if (found := re.search(r"sleep (\d+)", words)) else 0
        answers = one.labels[COMPONENT] in ("api", "gate")
        assert (away >= 10) is answers, f"{one.name}: who gets requests must wait until nobody sends any"
        grace = float(taskyard.environment(one)["TASKYARD_SHUTDOWN_GRACE"])
        assert one.pod["terminationGracePeriodSeconds"] >= away + grace + 5, one.name
