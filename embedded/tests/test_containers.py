"""Rules that docker-compose.yml and the Dockerfiles keep; whether they work is tested by `make e2e-compose`."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from embedded.services import SERVICES

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
CONTAINERS: dict[str, Any] = COMPOSE["services"]
LASTING = {name: container for name, container in CONTAINERS.items() if "restart" in container}


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_may_do_little(name: str) -> None:
    container = CONTAINERS[name]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert container["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
    assert {"mem_limit", "pids_limit"} <= set(container)
    assert not {"privileged", "cap_add", "pid", "devices"} & set(container)


def test_every_process_of_every_service_has_a_container() -> None:
    wanted = {f"{row.name}-{kind}": kind for row in SERVICES for kind in (*row.kinds, "migrate")}
    assert {name: CONTAINERS[name]["command"] for name in wanted} == {name: [kind] for name, kind in wanted.items()}
    assert set(CONTAINERS) - set(wanted) == {"gate", "secrets", "databases", "postgres", "rabbitmq"}


def test_the_gate_alone_is_published() -> None:
    assert [name for name, container in CONTAINERS.items() if "ports" in container] == ["gate"]


@pytest.mark.parametrize("name", LASTING)
def test_a_process_that_lasts_is_looked_after(name: str) -> None:
    container = LASTING[name]
    assert container["restart"] == "unless-stopped"
    assert container["healthcheck"]["test"][0] == "CMD"
    grace = int(container["stop_grace_period"].removesuffix("s"))
    assert grace > container["environment"].get("TASKYARD_SHUTDOWN_GRACE", 0)


@pytest.mark.parametrize("name", [name for name in CONTAINERS if name != "secrets"])
def test_a_container_waits_until_what_it_needs_is_there(name: str) -> None:
    for other, wanted in CONTAINERS[name]["depends_on"].items():
        if "restart" not in CONTAINERS[other]:
            assert wanted == {"condition": "service_completed_successfully"}
        elif other in ("postgres", "rabbitmq"):
            assert wanted == {"condition": "service_healthy"}


def test_a_container_sees_no_secrets_but_its_own() -> None:
    for name, container in CONTAINERS.items():
        seen = {
            volume.split(":")[0] for volume in container.get("volumes", []) if volume.startswith(("vault", "secrets"))
        }
        if name not in ("secrets", "databases"):
            assert len(seen) <= 1, name
            assert "vault" not in seen
    assert "volumes" not in CONTAINERS["gate"]


@pytest.mark.parametrize("directory", [f"{row.name}-service" for row in SERVICES])
def test_images_of_services_share_their_layers(directory: str) -> None:
    def shared(dockerfile: Path) -> str:
        return dockerfile.read_text().partition("\nFROM packages AS own")[0].partition("\nFROM chassis\n")[0]

    assert shared(ROOT / directory / "Dockerfile") == shared(ROOT / "embedded" / "Dockerfile")


@pytest.mark.parametrize("dockerfile", sorted(ROOT.glob("*/Dockerfile")), ids=lambda path: path.parent.name)
def test_an_image_runs_as_nobody_in_particular(dockerfile: Path) -> None:
    lines = dockerfile.read_text().splitlines()
    assert "ARG PYTHON_IMAGE=python:3.13-slim" in lines
    assert [line for line in lines if line.startswith("USER")] == ["USER 10001"]
