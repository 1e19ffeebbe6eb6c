"""Runtimes: who may make them, what becomes of them, and what runs in them (spec: scheduler 1.6, 5.6)."""

import threading
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from chassis.database import Database
from chassis.testing.waiting import eventually
from scheduler_service.runner.call import Call, End, Ended, ImageMissing, SandboxFailed
from scheduler_service.runner.package_runner import PackageRunner
from scheduler_service.runner.packages import Packages
from scheduler_service.runner.preparing import Preparing
from scheduler_service.runner.probe import Never
from scheduler_service.runner.process import NO_IMAGES, Processes
from scheduler_service.sources.leases import Leases
from scheduler_service.sources.work import Outcome, Work

IMAGE = {"image": "python:3.13-slim"}
INVALID = "Invalid input for field/attribute"
KEYS = {
    "id",
    "name",
    "image",
    "description",
    "is_public",
    "trusted",
    "status",
    "project_id",
    "created_at",
    "updated_at",
}


def fault(answer: tuple[int, Any]) -> tuple[int, str]:
    return answer[0], answer[1]["faultstring"]


def ready(database: Database, reason: str | None = None) -> list[str | None]:
    """Make every runtime ready that waits for it, and return the images that were tried."""
    tried: list[str | None] = []

    def prepare(image: str | None) -> str | None:
        tried.append(image)
        return reason

    Preparing(database, prepare).turn()
    return tried


def made(admin: Any, **fields: Any) -> Any:
    status, runtime = admin.post("/v1/runtimes", IMAGE | fields)
    assert status == 201, runtime
    return runtime


def test_there_is_a_runtime(client: Any) -> None:
    """spec: scheduler 5.6."""
    status, body = client.get("/v1/runtimes")
    [runtime] = body["runtimes"]
    assert (status, runtime["name"], runtime["status"], runtime["is_public"]) == (200, "python3", "available", True)
    assert client.get(f"/v1/runtimes/{runtime['id']}") == (200, runtime)
    assert client.get("/v1/runtimes", all_projects="1")[0] == 400
    assert client.get(f"/v1/runtimes/{uuid4()}")[0] == 404
    assert client.get("/v1/runtimes/x")[0] == 400


def test_an_admin_makes_one(admin: Any, client: Any, database: Database) -> None:
    """spec: scheduler 5.6."""
    runtime = made(admin, name="slim", description="small")
    assert set(runtime) == KEYS
    assert runtime | IMAGE == runtime
    assert (runtime["name"], runtime["description"], runtime["project_id"]) == ("slim", "small", "1")
    assert (runtime["is_public"], runtime["trusted"], runtime["status"]) == (True, True, "creating")
    form = {"code": '{"source": "package"}', "runtime_id": runtime["id"]}
    assert fault(client.post("/v1/functions", data=form)) == (400, f"Runtime {runtime['id']} is not available.")
    assert ready(database) == ["python:3.13-slim"]
    assert client.get(f"/v1/runtimes/{runtime['id']}")[1]["status"] == "available"
    assert len(client.get("/v1/runtimes")[1]["runtimes"]) == 2
    client.package(runtime_id=runtime["id"])


def test_others_may_not(client: Any, admin: Any) -> None:
    """spec: scheduler 1.6."""
    path = f"/v1/runtimes/{made(admin)['id']}"
    for answer in (client.post("/v1/runtimes", IMAGE), client.put(path, {"name": "x"}), client.delete(path)):
        assert fault(answer) == (403, "Operation not allowed")
    assert client.get(path)[1]["name"] is None


def test_one_that_is_not_public(client: Any, admin: Any, database: Database) -> None:
    """spec: scheduler 1.6: no exception for admins."""
    path = f"/v1/runtimes/{made(admin, is_public='no')['id']}"
    ready(database)
    database.execute("UPDATE runtime SET project_id = '3' WHERE NOT is_public")
    assert client.get(path)[0] == 200
    for answer in (admin.get(path), admin.put(path, {"name": "x"}), admin.delete(path)):
        assert answer[0] == 404
    database.execute("UPDATE runtime SET project_id = '1' WHERE NOT is_public")
    form = {"code": '{"source": "package"}', "runtime_id": path.rpartition("/")[2]}
    assert client.post("/v1/functions", data=form)[0] == 404
    assert len(client.get("/v1/runtimes")[1]["runtimes"]) == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "Required param is missing. Required: {'image'}"),
        ({"image": ""}, "Required param is missing. Required: {'image'}"),
        ({"image": 7}, "Invalid input for field/attribute image. Value: '7'. Wrong type. Expected 'str', got 'int'"),
        (
            IMAGE | {"status": None},
            "Invalid input for field/attribute status. Value: 'None'. Cannot set read only field.",
        ),
        (IMAGE | {"colour": "red"}, "Unknown attribute for argument runtime: colour"),
        (
            IMAGE | {"trusted": "x"},
            "Invalid input for field/attribute trusted. Value: 'x'. Wrong type. Expected 'bool'",
        ),
    ],
)
def test_bodies_that_are_refused(admin: Any, body: Any, message: str) -> None:
    """spec: scheduler 1.2, 5.6."""
    assert fault(admin.post("/v1/runtimes", body)) == (400, message)


def test_without_a_body(admin: Any) -> None:
    """spec: scheduler 1.2."""
    assert fault(admin.post("/v1/runtimes")) == (400, 'Missing argument: "runtime"')
    assert fault(admin.put(f"/v1/runtimes/{made(admin)['id']}")) == (400, 'Missing argument: "runtime"')


def test_a_change(admin: Any, database: Database) -> None:
    """spec: scheduler 5.6: what is null, or cannot be changed, stays."""
    path = f"/v1/runtimes/{made(admin, name='a')['id']}"
    ready(database)
    status, changed = admin.put(path, {"name": "b", "description": None, "is_public": False, "image": IMAGE["image"]})
    assert (status, changed["name"], changed["is_public"], changed["status"]) == (200, "b", True, "available")
    assert changed["updated_at"] is not None
    assert admin.put(path, {}) == (200, changed)
    assert admin.put(path, {"image": "python:3.14-slim"})[1]["status"] == "upgrading"
    assert ready(database) == ["python:3.14-slim"]
    assert admin.get(path)[1]["status"] == "available"


def test_one_that_does_not_work_can_be_tried_again(admin: Any, database: Database) -> None:
    path = f"/v1/runtimes/{made(admin)['id']}"
    ready(database, "there is no such image")
    assert admin.get(path)[1]["status"] == "error"
    assert admin.put(path, IMAGE)[1]["status"] == "upgrading"


def test_one_that_is_changed_while_it_is_made_ready(admin: Any, database: Database) -> None:
    path = f"/v1/runtimes/{made(admin)['id']}"

    def change(_: str | None) -> None:
        assert admin.put(path, {"image": "other:1"})[0] == 200

    Preparing(database, change).turn()
    assert admin.get(path)[1]["status"] == "upgrading"


def test_one_in_use_stays(admin: Any, client: Any, database: Database) -> None:
    """spec: scheduler 5.6."""
    runtime = made(admin)["id"]
    path = f"/v1/runtimes/{runtime}"
    ready(database)
    function = client.package(runtime_id=runtime)
    in_use = (403, f"Runtime {runtime} is still in use.")
    assert fault(admin.delete(path)) == in_use
    execution = client.post("/v1/executions", {"function_id": function, "sync": False})[1]["id"]
    assert fault(admin.put(path, {"image": "other:1"})) == in_use
    assert client.delete(f"/v1/executions/{execution}")[0] == 204
    assert admin.put(path, {"image": "other:1"})[0] == 200
    assert client.post("/v1/executions", {"function_id": function, "sync": False})[0] == 409
    assert client.delete(f"/v1/functions/{function}")[0] == 204
    assert admin.delete(path) == (204, b"")
    assert admin.delete(path)[0] == 404


def test_the_built_in_one_stays(admin: Any) -> None:
    [runtime] = admin.get("/v1/runtimes")[1]["runtimes"]
    for answer in (admin.delete(f"/v1/runtimes/{runtime['id']}"), admin.put(f"/v1/runtimes/{runtime['id']}", IMAGE)):
        assert fault(answer) == (403, "The built-in runtime can not be changed.")


def test_a_function_is_not_left_without_its_runtime(admin: Any, client: Any, database: Database) -> None:
    """A runtime is removed while a function is being made in it: the one waits for the other."""
    runtime = made(admin)["id"]
    ready(database)
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(admin.delete(f"/v1/runtimes/{runtime}")[0]))
    with database.transaction() as tx:
        tx.one("SELECT FROM runtime WHERE id = %(id)s FOR KEY SHARE", {"id": runtime})
        thread.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        eventually(lambda: tx.value(waiting) > 0)
        tx.execute(
            "INSERT INTO function (id, project_id, source, code, cpu, memory_size, timeout, runtime_id)"
            " VALUES (gen_random_uuid(), '3', 'package', '{}', 100, 33554432, 5, %(id)s)",
            {"id": runtime},
        )
    thread.join(30)
    assert answers == [403]


class Sandbox:
    """The null version of a sandbox: notes the image of each call."""

    def __init__(self, error: Exception | None = None) -> None:
        self.images: list[str | None] = []
        self._error = error

    def call(self, call: Call, ending: Any) -> Ended:
        self.images.append(call.image)
        if self._error:
            raise self._error
        return Ended(End.EXITED, 0.1, b'{"output": "1"}')

    def prepare(self, image: str | None) -> str | None:
        return None

    def check(self) -> str | None:
        return None


@pytest.fixture
def run(admin: Any, client: Any, database: Database) -> Callable[[Sandbox, str], Outcome]:
    """Run a function in a runtime of an image."""

    def in_image(sandbox: Sandbox, image: str) -> Outcome:
        runtime = made(admin, image=image)["id"]
        ready(database)
        function = client.package(runtime_id=runtime)
        client.post("/v1/executions", {"function_id": function, "sync": False})
        row = Leases(database).take(["package"], "3")
        assert row is not None
        return PackageRunner(Packages(database), sandbox).run(Work.of_row(row), Never())

    return in_image


@pytest.mark.parametrize(("image", "called_in"), [("python:3.13-slim", "python:3.13-slim"), ("python3", None)])
def test_a_function_runs_in_the_image_of_its_runtime(run: Any, image: str, called_in: str | None) -> None:
    sandbox = Sandbox()
    assert run(sandbox, image).status == "success"
    assert sandbox.images == [called_in]


def test_an_image_that_is_gone(run: Any) -> None:
    assert run(Sandbox(ImageMissing("i:1")), "i:1") == Outcome("error", "Image not found [image=i:1]")


def test_processes_have_the_own_python_only() -> None:
    processes = Processes(60_800)
    assert processes.prepare("python:3.13-slim") == NO_IMAGES
    assert processes.prepare(None) is None
    with pytest.raises(SandboxFailed):
        processes.call(Call("e", "main.main", {}, b"", None, "i:1"), Never())  # type: ignore[arg-type]


def test_a_runner_hears_of_new_ones(admin: Any, database: Database) -> None:
    from chassis.listen import Listener
    from scheduler_service import runtimes

    preparing = Preparing(database, lambda image: None)
    listener = Listener(database.dsn, "test-listener")
    listener.on(runtimes.CHANGED, lambda _: preparing.ring(), missed=preparing.ring)
    preparing.start()
    listener.start()
    try:
        eventually(lambda: preparing.check() is None)
        path = f"/v1/runtimes/{made(admin)['id']}"
        eventually(lambda: admin.get(path)[1]["status"] == "available")
    finally:
        preparing.stop(10)
        listener.stop(10)
