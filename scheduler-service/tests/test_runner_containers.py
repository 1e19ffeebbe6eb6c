"""Functions and images in containers, where a Docker engine answers and has an image with Python."""

import gc
import json
import socket
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scheduler_service.executions import NOTHING
from scheduler_service.runner.call import Call, End, Ended, ImageMissing, Limits, SandboxFailed
from scheduler_service.runner.image_runner import ImageRunner, arguments
from scheduler_service.runner.probe import Never, has_worked, probe
from scheduler_service.sources.work import GivenUp, Outcome, Work

BASE = "python:3.13-slim"
LIMITS = Limits(60, 32 * 2**20, 300)


class Images:
    """The null version of an engine: ends as it is told to."""

    def __init__(self, ended: Ended | Exception) -> None:
        self._ended = ended
        self.asked: list[tuple[str, list[str], Limits]] = []

    def run_image(self, execution_id: str, image: str, words: list[str], limits: Limits, ending: Any) -> Ended:
        self.asked.append((image, words, limits))
        if isinstance(self._ended, Exception):
            raise self._ended
        return self._ended


def run(ended: Ended | Exception, given: str | None = None) -> tuple[Outcome, Images]:
    images = Images(ended)
    code = {"source": "image", "image": "i:1"}
    work = Work("e", "3", "f", 0, code, given, 7, memory_size=5, cpu=100)
    return ImageRunner(images).run(work, Never()), images


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, []),
        ('{"__function_input": " a  b\\nc "}', ["a", "b", "c"]),
        ('{"a": 1, "b": "x y"}', ['{"a": 1, "b": "x y"}']),
    ],
)
def test_the_input_becomes_arguments(given: str | None, words: list[str]) -> None:
    """spec: scheduler 5.7: a text is split at blanks, an object is one argument."""
    assert arguments(given) == words
    outcome, images = run(Ended(End.EXITED, 2.6, logs=b"done\n"), given)
    assert images.asked == [("i:1", words, Limits(7, 5, 100))]
    assert outcome == Outcome("success", NOTHING, 2, "done\n")


@pytest.mark.parametrize(
    ("ended", "status", "output"),
    [
        (Ended(End.EXITED, 1, code=3), "failed", "The container ended with exit code 3."),
        (Ended(End.TIME, 7), "failed", "Function execution timeout."),
        (Ended(End.RESOURCES, 1), "failed", "Function execution failed because of too much resource consumption"),
        (ImageMissing("i:1"), "error", "Image not found [image=i:1]"),
        (SandboxFailed("secret"), "error", "Function execution failed."),
    ],
)
def test_how_an_image_ends(ended: Ended | Exception, status: str, output: str) -> None:
    """spec: scheduler 5.7: a non-zero exit fails at once."""
    outcome, _ = run(ended)
    assert (outcome.status, outcome.output) == (status, output)


def test_what_is_given_up_has_no_end() -> None:
    with pytest.raises(GivenUp):
        run(Ended(End.GIVEN_UP, 1))


@pytest.mark.parametrize("left_behind", [True, False])
def test_an_engine_that_is_away_costs_no_socket(
    left_behind: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has removed the file of the socket, or nobody has made it."""
    from scheduler_service.runner.containers import Containers

    place = tmp_path / "engine"
    if left_behind:
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(str(place))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{place}")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with pytest.raises(SandboxFailed, match="does not answer"):
            Containers(BASE, network=False, pulls=False)
        gc.collect()
    assert [str(warning.message) for warning in told] == []


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    """The engine of this machine."""
    from scheduler_service.runner.containers import Containers

    try:
        containers = Containers(BASE, network=False, pulls=False)
    except SandboxFailed as error:
        pytest.skip(str(error))
    if not containers.has_base():
        containers.close()
        pytest.skip(f"the Docker engine has no image {BASE}")
    yield containers
    containers.close()


SNOOP = """
import os, socket
def attempt(action):
    try:
        return repr(action())
    except Exception as error:
        return type(error).__name__
def main(**kw):
    print("Hello")
    return {
        "user": os.getuid(),
        "groups": [os.getgid(), *os.getgroups()],
        "capabilities": [line.split()[1] for line in open("/proc/self/status") if line.startswith("Cap")],
        "gains": [line.split()[1] for line in open("/proc/self/status") if line.startswith("NoNewPrivs")],
        "outside": [attempt(lambda: open(path + "/x", "w")) for path in ("/", "/usr", "/etc")],
        "inside": attempt(lambda: open("x", "w").write("x")),
        "network": sorted(os.listdir("/sys/class/net")),
        "environment": [name for name in os.environ if name.startswith("TASKYARD")],
    }
"""


def call(engine: Any, text: str, seconds: int = 60) -> Ended:
    import io
    import zipfile

    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("main.py", text)
    made = Call(str(uuid.uuid4()), "main.main", {}, content.getvalue(), Limits(seconds, LIMITS.memory, 300))
    return engine.call(made, Never())  # type: ignore[no-any-return]


def test_a_function_in_a_container_has_no_rights(engine: Any) -> None:
    ended = call(engine, SNOOP)
    found = json.loads(json.loads(ended.report)["output"])
    assert ended.logs == b"Hello\n"
    assert (found["user"], set(found["groups"])) == (65534, {65534})
    assert set(found["capabilities"]) == {"0" * 16}
    assert found["gains"] == ["1"]
    assert set(found["outside"]) <= {"OSError", "PermissionError"}
    assert (found["inside"], found["network"], found["environment"]) == ("1", ["lo"], [])


def test_the_engine_works_at_all(engine: Any) -> None:
    assert engine.check() is None
    assert has_worked(engine.call(probe(), Never()).report)


def test_a_container_is_stopped_at_its_time(engine: Any) -> None:
    ended = call(engine, "def main(**kw):\n  print('on', flush=True)\n  while True: pass", 1)
    assert ended.end is End.TIME


def test_a_container_has_its_memory(engine: Any) -> None:
    ended = call(engine, "def main(**kw):\n  kept = []\n  while True: kept.append(bytearray(1_000_000))")
    assert ended.end is End.RESOURCES


def test_an_image_with_its_arguments(engine: Any) -> None:
    ended = engine.run_image(str(uuid.uuid4()), BASE, ["echo", "Hello", "there"], LIMITS, Never())
    assert (ended.end, ended.code, ended.logs) == (End.EXITED, 0, b"Hello there\n")
    ended = engine.run_image(str(uuid.uuid4()), BASE, ["sh", "-c", "echo no >&2; exit 3"], LIMITS, Never())
    assert (ended.end, ended.code, ended.logs) == (End.EXITED, 3, b"no\n")


def test_an_image_that_is_not_there(engine: Any) -> None:
    with pytest.raises(ImageMissing):
        engine.run_image(str(uuid.uuid4()), "taskyard.invalid/none:1", [], LIMITS, Never())
