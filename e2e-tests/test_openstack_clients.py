"""The reference's own client with Keystone's login, unmodified, through the gate (spec: scheduler 6)."""

import io
import json
import zipfile
from typing import Any

import pytest
from actors import PASSWORD, Person
from keystoneauth1 import exceptions, session, token_endpoint
from keystoneauth1.identity import Password, v3
from qinlingclient.client import Client

from chassis.testing.waiting import eventually

pytestmark = pytest.mark.filterwarnings("ignore:keystoneclient:DeprecationWarning")

HELLO = """
def main(name="World", **kwargs):
    print("Hello, " + name)
    return {"greeted": name}
"""


def package(text: str) -> io.BytesIO:
    """Return a ZIP with one module."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("main.py", text)
    content.seek(0)
    return content


def logged_in(gate: str, person: Person, **more: Any) -> session.Session:
    """Return a session that logs in by itself, in the dialect of version 3."""
    user = {"username": person.username, "password": PASSWORD, "user_domain_name": "Default"}
    return session.Session(v3.Password(f"{gate}/v3", **user, **more))


def qinling(keystone: session.Session) -> Any:
    """Return the client as its command-line plugin makes it; the catalogue says where the scheduler is."""
    endpoint = keystone.get_endpoint(service_type="function-engine", interface="public")
    return Client("1", endpoint, session=keystone, service_type="function-engine")


def test_scoped_and_unscoped(gate: str, person: Person) -> None:
    """spec: scheduler 6.2: the catalogue names the gate."""
    own = logged_in(gate, person, project_name=person.username, project_domain_name="Default")
    assert own.get_endpoint(service_type="function-engine") == gate
    assert own.auth.get_access(own).project_name == person.username
    assert own.auth.get_access(own).role_names == ["member"]
    assert logged_in(gate, person, unscoped=True).auth.get_access(own).project_id is None
    assert logged_in(gate, person).get_project_id() == own.get_project_id()


def test_the_plugin_that_asks_for_the_version_first(gate: str, person: Person) -> None:
    user = {"username": person.username, "password": PASSWORD, "user_domain_id": "default"}
    found = session.Session(Password(f"{gate}/v3", **user, project_name=person.username, project_domain_id="default"))
    assert qinling(found).runtimes.list()


def test_a_wrong_password(gate: str, person: Person) -> None:
    wrong = session.Session(
        v3.Password(f"{gate}/v3", username=person.username, password="wrong horse", user_domain_id="default")
    )
    with pytest.raises(exceptions.Unauthorized, match="requires authentication"):
        wrong.get_token()


@pytest.mark.timeout(300)
def test_a_package_runs_when_its_job_is_due(gate: str, person: Person) -> None:
    """The life of a job, from the ZIP to the log; waits for the next minute, because jobs know no shorter time.

    spec: scheduler 9, steps 1, 2, 3, 4, 5, 6.
    """
    client = qinling(logged_in(gate, person))
    [runtime] = client.runtimes.list()
    function = client.functions.create({"source": "package"}, runtime.id, package(HELLO), name="hello", timeout=60)
    job = client.jobs.create(
        function_id=function.id, name="greet", pattern="* * * * *", function_input='{"name": "Taskyard"}', count=1
    )
    assert (job.status, job.count, job.first_execution_time) == ("running", 1, job.next_execution_time)
    assert job.id in [item.id for item in client.jobs.list()]
    assert client.jobs.update(job.id, name="greet all").name == "greet all"
    eventually(lambda: client.jobs.get(job.id).status == "done", 120)
    [execution] = client.function_executions.list(description=f"has:{job.id}")
    ended = eventually(lambda: ended_execution(client, execution.id), 90)
    assert ended.status == "success", ended.result
    assert json.loads(ended.result)["output"] == {"greeted": "Taskyard"}
    assert "Hello, Taskyard" in client.function_executions.get_log(execution.id)
    client.jobs.delete(job.id)
    client.functions.delete(function.id)
    assert function.id not in [item.id for item in client.functions.list()]


def test_a_paused_job_keeps_its_function(gate: str, person: Person) -> None:
    """With an API key, in both ways to give one (spec: scheduler 6.3)."""
    key = person.post("/auth/keys", {"name": "qinling"}).json()["key"]
    static = Client("1", gate, token=key)
    function = static.functions.create({"source": "http", "url": "https://example.org"}, None, None, name="look")
    job = static.jobs.create(function_id=function.id, pattern="0 2 * * *")
    assert static.jobs.update(job.id, status="paused").status == "paused"
    fixed = Client("1", gate, session=session.Session(token_endpoint.Token(gate, key)))
    with pytest.raises(Exception, match=r"still associated with running job\(s\)\. \(HTTP 403\)"):
        fixed.functions.delete(function.id)
    fixed.jobs.delete(job.id)
    fixed.functions.delete(function.id)


def test_a_webhook_of_the_client(gate: str, person: Person) -> None:
    client = qinling(logged_in(gate, person))
    function = client.functions.create({"source": "poller", "user": "hook", "config": {}}, None, None)
    webhook = client.webhooks.create(function_id=function.id)
    assert webhook.webhook_url == f"{gate}/v1/webhooks/{webhook.id}/invoke"
    assert client.webhooks.update(webhook.id, description="on push").description == "on push"
    invoked = session.Session().post(webhook.webhook_url, json={"config": {"a": "1"}}, authenticated=False)
    assert invoked.status_code == 202
    execution = eventually(lambda: ended_execution(client, invoked.json()["execution_id"]), 60)
    assert (execution.status, execution.description) == ("success", f"Created by Webhook {webhook.id}")
    client.webhooks.delete(webhook.id)
    client.functions.delete(function.id)


def ended_execution(client: Any, number: str) -> Any:
    """Return an execution once it has ended."""
    execution = client.function_executions.get(number)
    return execution if execution.status != "running" else None
