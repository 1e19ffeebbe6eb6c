"""What the engine has made of docker-compose.yml's promises."""

from pathlib import Path

from docker.models.containers import Container
from insistent import administrator
from stack import Stack


def ports(container: Container) -> set[str]:
    """The addresses of this machine at which a container answers."""
    bound = container.attrs["NetworkSettings"]["Ports"].values()
    return {f"http://{place['HostIp']}:{place['HostPort']}" for places in bound for place in places or ()}


def status(container: Container) -> dict[str, str]:
    """What the kernel says of a container's first process."""
    lines = Path(f"/proc/{container.attrs['State']['Pid']}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_nobody_is_root_or_may_write_to_the_image(stack: Stack) -> None:
    for container in stack.lasting().values():
        process = status(container)
        assert "0" not in process["Uid"].split(), container.name
        assert int(process["CapEff"], 16) == 0, container.name
        assert process["NoNewPrivs"] == "1", container.name
        assert container.exec_run(["sh", "-c", "echo > /written"])[0] != 0, container.name


def test_the_gate_alone_is_reached_from_outside(stack: Stack) -> None:
    found = {name: ports(container) for name, container in stack.lasting().items()}
    assert {name: places for name, places in found.items() if places} == {"gate": {stack.url}}


def test_a_second_up_changes_nothing(stack: Stack) -> None:
    def known() -> dict[str, tuple[str, bytes]]:
        secrets = ["sh", "-c", "cat /run/secrets/taskyard/* 2>/dev/null | sha256sum"]
        return {name: (found.id, found.exec_run(secrets).output) for name, found in stack.lasting().items()}

    before, person = known(), administrator(stack.url)
    projects = person.call("GET", "/project/list")
    stack.up()
    assert known() == before
    assert person.call("GET", "/project/list") == projects
