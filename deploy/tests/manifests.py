"""An overlay as Kubernetes will see it, and how Kubernetes reads it."""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

K8S = Path(__file__).parents[1] / "k8s"
OVERLAYS = K8S / "overlays"
COMPONENT = "app.kubernetes.io/component"


def kustomize() -> list[str] | None:
    """Return the command that renders a directory, or `None` when there is none that knows components."""
    for command in (["kustomize", "build"], ["kubectl", "kustomize"]):
        if shutil.which(command[0]) and "v2.0" not in _version(command[0]):
            return command
    return None


def _version(program: str) -> str:
    words = [program, "version"] if program == "kustomize" else [program, "version", "--client"]
    answer = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    return answer if "ustomize" in answer or program == "kustomize" else "v2.0"


@dataclass(frozen=True)
class Workload:
    """A Deployment, StatefulSet or Job."""

    kind: str
    name: str
    spec: dict[str, Any]

    @property
    def labels(self) -> dict[str, str]:
        """The labels of its pods."""
        return self.spec["template"]["metadata"]["labels"]

    @property
    def pod(self) -> dict[str, Any]:
        """What its pods are."""
        return self.spec["template"]["spec"]

    @property
    def container(self) -> dict[str, Any]:
        """The only container of its pods."""
        (container,) = self.pod["containers"]
        return container

    @property
    def ports(self) -> dict[str, int]:
        """The ports of its pods by name."""
        return {port["name"]: port["containerPort"] for port in self.container.get("ports", ())}


class Manifests:
    """Every object of an overlay."""

    def __init__(self, objects: list[dict[str, Any]]) -> None:
        self.objects = objects

    @classmethod
    def render(cls, command: list[str], overlay: str) -> "Manifests":
        """Have kustomize render an overlay."""
        made = subprocess.run([*command, str(OVERLAYS / overlay)], capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stderr
        assert made.stderr == ""
        return cls([entry for entry in yaml.safe_load_all(made.stdout) if entry])

    def of_kind(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the objects of some kinds."""
        return [entry for entry in self.objects if entry["kind"] in kinds]

    def named(self, kind: str, name: str) -> dict[str, Any]:
        """Return one object."""
        (found,) = (entry for entry in self.of_kind(kind) if entry["metadata"]["name"] == name)
        return found

    @property
    def workloads(self) -> list[Workload]:
        """Whatever makes pods."""
        found = self.of_kind("Deployment", "StatefulSet", "Job")
        return [Workload(entry["kind"], entry["metadata"]["name"], entry["spec"]) for entry in found]

    @property
    def processes(self) -> list[Workload]:
        """The workloads that run Taskyard's own images."""
        return [one for one in self.workloads if one.container["image"].startswith("taskyard/")]

    def environment(self, workload: Workload) -> dict[str, str]:
        """Return what a process finds in its environment."""
        values: dict[str, str] = {}
        for source in workload.container.get("envFrom", ()):
            values |= self.named("ConfigMap", source["configMapRef"]["name"])["data"]
        return values | {entry["name"]: entry["value"] for entry in workload.container.get("env", ())}

    def secrets_of(self, workload: Workload) -> Iterator[str]:
        """Yield the names of the Secrets that a workload's pods mount."""
        for volume in workload.pod.get("volumes", ()):
            if "secret" in volume:
                yield volume["secret"]["secretName"]
            for source in volume.get("projected", {}).get("sources", ()):
                yield source["secret"]["name"]


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Return whether a label selector selects; an empty one selects everything."""
    wanted = selector.get("matchLabels", {}).items() <= labels.items()
    return wanted and all(
        labels.get(rule["key"]) in rule["values"]
        for rule in selector.get("matchExpressions", ())
        if rule["operator"] == "In" or _unknown(rule)
    )


def _unknown(rule: dict[str, Any]) -> bool:
    raise AssertionError(f"these tests do not know the operator {rule['operator']}")
