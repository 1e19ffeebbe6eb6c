"""What the service tells the house, what it hears, and that neither ever holds a credential."""

import io
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from chassis.database import Database
from chassis.events import Event
from chassis.logs import configure
from chassis.testing.identity import KnownPrincipals
from workqueue_service import commands, leases
from workqueue_service.container import Container
from workqueue_service.outcomes import Backoff
from workqueue_service.settings import WorkqueueSettings
from workqueue_service.testing import SITE, PdmWorker, Person, Worker, entry
from workqueue_service.worker import background

COPY = {"dst_siteid": 1, "dst_filepath": "/copy"}


def told(database: Database) -> list[tuple[str, dict[str, Any]]]:
    """Return type and data of the events that wait to be sent, and forget them."""
    rows = database.all("DELETE FROM outbox RETURNING id, envelope")
    events = [json.loads(row["envelope"]) for row in sorted(rows, key=lambda row: row["id"])]
    return [(event["type"], event["data"]) for event in events]


def test_a_job_that_is_done(user: Person, worker: Worker, site: int, database: Database) -> None:
    """DESIGN 5: submitted, ready (again when it has grown), finished once."""
    job = user.submit("copy", **COPY)
    about = {"job_id": job, "user_id": user.id, "type": "COPY", "src_siteid": 1, "dst_siteid": 1}
    ready = ("workqueue.elements.ready", {"job_id": job, "type": "COPY"})
    assert told(database) == [("workqueue.job.submitted", {**about, "status": "NEW"}), ready]
    [element] = worker.take()
    worker.progress(element)
    assert told(database) == []
    worker.report(element, listing={"/data": [entry("a"), entry("b")]})
    assert told(database) == [ready]
    for taken in worker.take():
        worker.report(taken)
    counts = {"num_elements": 3, "num_done": 3, "num_failed": 0}
    assert told(database) == [("workqueue.job.finished", {**about, "status": "DONE", **counts})]


def test_a_job_that_fails(user: Person, worker: Worker, site: int, database: Database) -> None:
    """Only when no attempt is left; once for each round of attempts."""
    job = user.submit("list")
    told(database)
    for _ in range(2):
        worker.report(worker.take()[0], returncode=1)
        assert told(database) == []
        worker.take()
        database.execute("UPDATE element SET lease_until = now() - interval '1 second'")
        leases.sweep(database, Backoff(0, 0))
        [(type_, data)] = told(database)
        assert (type_, data["status"], data["num_failed"]) == ("workqueue.job.failed", "FAILED", 1)
        user.post(f"/jobs/{job}/retry")
        assert [type_ for type_, _ in told(database)] == ["workqueue.elements.ready"]


def test_a_job_that_is_cancelled(user: Person, worker: Worker, site: int, database: Database) -> None:
    """Not failed, cancelled."""
    job = user.submit("list")
    worker.take()
    told(database)
    for _ in range(2):
        user.post(f"/jobs/{job}/cancel")
    assert [type_ for type_, _ in told(database)] == ["workqueue.job.cancelled"]


def command(job: dict[str, Any], command_id: str | None = None, kind: str = "account", number: int = 3) -> Event:
    """Return a command to create a job."""
    data = {"principal": {"kind": kind, "id": number}, "job": job}
    given = {"command_id": command_id} if command_id else {}
    return Event.new("workqueue.job.submit", "schedule/1", {**given, **data}, service="scheduler")


def carry_out(database: Database, event: Event) -> dict[str, Any]:
    """Have a command carried out, and return the answer to it."""
    handler = commands.handlers(20).find(event.type)
    assert handler is not None
    with database.transaction() as tx:
        handler(tx, event)
    return next(data for type_, data in told(database) if type_ == "workqueue.command.answered")


def test_the_command_creates_a_job(user: Person, site: int, database: Database) -> None:
    """DESIGN 5: a repeated command has one effect and the same answer."""
    number = str(uuid.uuid4())
    for _ in range(2):
        wanted = {"type": "COPY", "src_siteid": 1, "src_filepath": "/data", **COPY}
        answer = carry_out(database, command(wanted, number))
        assert answer == {"command_id": number, "ok": True, "job_id": 1, "reason": None}
    [job] = user.get("/jobs").json
    assert (job["type"], job["user_id"]) == ("COPY", user.id)


@pytest.mark.parametrize(
    ("job", "who", "reason"),
    [
        ({"type": 9, "src_siteid": 1, "src_filepath": "/x"}, {}, "9 is not a valid JobType"),
        ({"type": 0, "src_siteid": 1, "src_filepath": "/x\n"}, {}, "Possible injection content in filepath '/x\\n'"),
        ({"type": 0, "src_siteid": 9, "src_filepath": "/x"}, {}, "Site 9 is unknown or not visible to you"),
        ({"type": 0, "src_siteid": 2, "src_filepath": "/x"}, {"number": 4}, "Site 2 is unknown or not visible to you"),
        ({"type": 0, "src_siteid": 1, "src_filepath": "/x"}, {"kind": "worker"}, "Only accounts have file jobs"),
        ({"type": 0, "src_siteid": 1, "src_filepath": "/x"}, {"kind": "service"}, "Only accounts have file jobs"),
    ],
)
def test_commands_that_are_refused(
    site: int,
    make_site: Callable[..., int],
    database: Database,
    job: dict[str, Any],
    who: dict[str, Any],
    reason: str,
) -> None:
    """The rights of the principal apply, and the rules of submission."""
    make_site("hidden", public=False)
    answer = carry_out(database, command(job, **who))
    assert (answer["ok"], answer["job_id"], answer["reason"]) == (False, None, reason)
    assert database.value("SELECT count(*) FROM job") == 0


def test_a_changed_worker_is_asked_for_again(
    container: Container, known: KnownPrincipals, worker: Worker, database: Database
) -> None:
    """DESIGN 4: cached credentials go when an event says so."""
    container.listener.start()
    try:
        assert container.listener.wait_until_listening(10)
        assert worker.ask().status_code == 404
        asked = known.asked
        assert worker.ask().status_code == 404
        assert known.asked == asked
        data = {"worker_id": worker.id, "alias": "w", "paused": False, "created": 1, "version": 2}
        event = Event.new("auth.worker.updated", "worker/7", data, service="auth")
        handler = commands.handlers(20).find(event.type)
        assert handler is not None
        with database.transaction() as tx:
            handler(tx, event)
        for _ in range(1000):
            if worker.ask().status_code == 404 and known.asked > asked:
                break
        assert known.asked > asked
    finally:
        container.listener.stop(5)


SECRETS = [f"hunter2-{name}" for name in ("password", "key", "phrase", "token", "session", "proxy")]


@pytest.fixture
def logs() -> Iterator[io.StringIO]:
    """Everything that the service logs, at the most talkative level."""
    stream = io.StringIO()
    before = structlog.get_config()
    configure("workqueue", "debug", "json", stream)
    yield stream
    structlog.configure(**before)


def test_credentials_appear_nowhere_but_in_hand_outs(
    logs: io.StringIO,
    user: Person,
    worker: Worker,
    pdm_worker: PdmWorker,
    person: Callable[..., Person],
    make_site: Callable[..., int],
    database: Database,
) -> None:
    """In no answer to a user, no log, no event, and in the clear in no table."""
    far, grid = make_site("far", endpoints=["sftp://far.example/"]), make_site("grid", endpoints=["g.example:1"])
    names = ["password", "private_key", "passphrase", "token", "session_token", "proxy"]
    body = {"username": "ada", **dict(zip(names, SECRETS, strict=True))}
    seen = [user.post(f"{SITE}/session/{site}", body).text for site in (far, grid)]
    seen.append(user.post(f"{SITE}/session/{far}", {**body, "lifetime": "x"}).text)
    job = user.submit("copy", far, dst_siteid=far, dst_filepath="/x", extra_opts={"a": 1})
    user.submit("list", grid)
    answer = worker.ask()
    assert all(secret in answer.text for secret in SECRETS)
    assert SECRETS[5] in pdm_worker.ask().text
    token = answer.json[0]["elements"][0]["token"]
    worker.report(answer.json[0]["elements"][0], returncode=1, permanent=True)
    paths = [f"{SITE}/site", f"{SITE}/site/{far}", f"{SITE}/session/{far}", "/jobs", f"/jobs/{job}"]
    paths += [f"/jobs/{job}/{rest}" for rest in ("status", "output", "events", "elements", "elements/0")]
    for somebody in (user, person(4)):
        seen += [somebody.get(f"{path}?dialect={dialect}").text for path in paths for dialect in ("pdm", "documented")]
    seen.append(user.post(f"/jobs/{job}/retry").text)
    tables = database.all("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    for row in tables:
        rows = database.all(f"SELECT t::text FROM {row['tablename']} t")  # type: ignore[arg-type]
        seen += [each["t"] for each in rows]
    assert "outbox" in {row["tablename"] for row in tables}
    seen.append(logs.getvalue())
    everything = "\n".join(seen)
    assert "workqueue.job.submitted" in everything
    for secret in (*SECRETS, token):
        assert secret not in everything
        assert secret.encode().hex() not in everything


def test_a_changed_key_loses_credentials_and_nothing_else(
    user: Person, worker: Worker, make_site: Callable[..., int], database: Database
) -> None:
    """What cannot be decrypted is not handed out."""
    far = make_site("far", endpoints=["sftp://far.example/"])
    user.post(f"{SITE}/session/{far}", {"username": "ada", "password": "x"})
    database.execute("UPDATE site_session SET sealed = 'not sealed'")
    user.submit("list", far)
    assert worker.ask().json[0]["src_site"]["credentials"] is None


def test_the_background_process(settings: WorkqueueSettings, database: Database) -> None:
    """It relays, listens, sweeps and prunes; it says what is missing."""
    away = settings.model_copy(update={"amqp_url": SecretStr("amqp://nobody@nowhere.invalid/")})
    components, checks = background(away, database)
    assert [getattr(component, "name", "events") for component in components] == ["events", "sweep", "prune"]
    assert set(checks) == {"database", "events", "broker"}
    assert checks["database"]() is None
