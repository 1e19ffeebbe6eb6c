"""What the documentation shows works when it is typed."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from actors import Machine, Person
from curl import curl
from readme import commands, main_job

from chassis.testing.waiting import eventually
from embedded import postgres
from embedded.house import House

ROOT = Path(__file__).parents[1]


@pytest.fixture
def fresh_gate(data_directory: Path) -> Iterator[str]:
    """The gate of a house in which nothing has happened yet."""
    directory = Path(tempfile.mkdtemp(dir=data_directory))
    postgres.own(directory)
    with House(directory / "fresh") as house:
        yield house.url


@pytest.mark.embedded
def test_the_readme_does_the_main_job(fresh_gate: str, tmp_path: Path) -> None:
    main_job(fresh_gate, tmp_path)


TUTORIAL = ROOT / "docs" / "tutorial" / "cron-feeds-the-tracker.md"


def learned(answer: requests.Response) -> dict[str, str]:
    """Return what a reader of the tutorial copies from an answer into the next commands."""
    found = answer.json() if answer.content else {}
    if worker := found.get("content", {}).get("worker"):
        return {"ID": str(worker["id"]), "SECRET": worker["secret"]}
    names = {"key": "KEY", "pattern": "JOB", "code": "FUNCTION"}
    return {name: found["key" if name == "KEY" else "id"] for field, name in names.items() if field in found}


@pytest.mark.embedded
@pytest.mark.timeout(300)
def test_the_tutorial_feeds_the_tracker(fresh_gate: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In curls, and then with python-qinlingclient."""
    text, values, answers = TUTORIAL.read_text(), {"GATE": fresh_gate}, []
    for command in commands(text):
        for name in sorted(values, key=len, reverse=True):
            command = command.replace(f"${name}", values[name])
        if "/runs" in command:
            eventually(lambda: '"running"' not in curl(command, tmp_path).text, 30)  # noqa: B023
        answers.append(curl(command, tmp_path))
        assert answers[-1].ok, (command, answers[-1].text)
        values = learned(answers[-1]) | values
    shown = [answer.json() for answer in answers if answer.content]
    [task] = [answer["content"]["task"] for answer in shown if "task" in answer.get("content", {})]
    assert (task["recipe"], task["id"], task["project"]["id"]) == ("http://example.org/feed", 1, 1)
    assert {"ok": True, "content": {"updated": True}} in shown
    [runs] = [answer["runs"] for answer in shown if "runs" in answer]
    assert runs[0]["status"] == "success"
    [python] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(python.replace("http://127.0.0.1:8080", fresh_gate).replace("tyk_…", values["KEY"]), {})
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:00Z\n", capsys.readouterr().out)


# The commands of the tracker's API document, as they stand there; only the address, the ids and the secret change.
WORKER_HEADERS = "-H 'X-Worker-ID: {id}' -H 'X-Secret: {secret}'"
SEED = {
    "worker/create": """curl -X POST '{gate}/worker/create' -d '
{{
  "alias": "some alias"
}}'""",
    "worker/update": f"""curl -X POST '{{gate}}/worker/update' \\
{WORKER_HEADERS} -d '
{{{{
  "alias": "another alias"
}}}}'""",
    "task/submit": f"""curl -X POST '{{gate}}/task/submit' \\
{WORKER_HEADERS} -d '
{{{{
  "project": {{project}},
  "max_retries": 3,
  "recipe": "test recipe",
  "priority": 1,
  "max_assign_time": 3600,
  "hash64": 0,
  "unique_string": "",
  "verification_count": 0
}}}}'""",
    "task/get": f"""curl -X GET '{{gate}}/task/get/{{project}}'\\
 {WORKER_HEADERS}""",
    "task/release": f"""curl -X POST '{{gate}}/task/release'\\
 {WORKER_HEADERS} -d '
{{{{
  "task_id": {{task}},
  "result": 0,
  "verification": -32315129
}}}}'""",
    "log": f"""curl -X POST '{{gate}}/log/info'\\
 {WORKER_HEADERS} -d '
{{{{
  "scope": "Arbitrary log category",
  "message": "message",
  "timestamp": 1559393394
}}}}'""",
    "request_access": f"""curl -X POST '{{gate}}/project/request_access'\\
 {WORKER_HEADERS} -d '
{{{{
  "assign": true,
  "submit": true,
  "project": {{project}}
}}}}'""",
    "project/get": "curl -X GET '{gate}/project/get/{project}'",
    "project/list": "curl -X GET '{gate}/project/list'",
}


def test_each_command_of_the_trackers_document_works_as_written(
    gate: str, admin: Person, machine: Machine, project: int, tmp_path: Path
) -> None:
    values = {"gate": gate, "id": machine.id, "secret": machine.secret, "project": project, "task": 0}

    def run(name: str) -> dict[str, object]:
        answer = curl(SEED[name].format(**values), tmp_path)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json"), answer.text
        return answer.json()  # type: ignore[no-any-return]

    worker = run("worker/create")["content"]["worker"]  # type: ignore[index]
    assert set(worker) == {"id", "created", "alias", "secret", "paused"}
    assert (worker["alias"], len(worker["secret"]), worker["paused"]) == ("some alias", 44, False)
    assert run("worker/update") == {"ok": True}
    assert run("task/submit") == {"ok": True}
    task = run("task/get")["content"]["task"]  # type: ignore[index]
    assert task["recipe"] == "test recipe"
    assert task["assignee"] == machine.id
    assert task["project"]["id"] == project
    values["task"] = task["id"]
    assert run("task/release") == {"ok": True, "content": {"updated": True}}
    assert run("log") == {"ok": True}
    values |= {"project": admin.create_project()}
    assert run("request_access") == {"ok": True}
    shown = run("project/get")["content"]
    assert shown["id"] == values["project"]  # type: ignore[index]
    assert shown["project"]["name"] == shown["name"]  # type: ignore[index]
    listed = run("project/list")["content"]["projects"]  # type: ignore[index]
    assert values["project"] in [entry["id"] for entry in listed]
