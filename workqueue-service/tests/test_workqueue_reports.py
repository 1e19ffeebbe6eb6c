"""Results and progress (spec: workqueue 5.2 to 5.5), and what users see of them (4.4, 4.5)."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from chassis.database import Database
from chassis.testing.identity import KnownPrincipals
from workqueue_service import leases
from workqueue_service.outcomes import Backoff
from workqueue_service.testing import Person, Worker, entry, path_of

NO_PAUSE = Backoff(0, 0)
MAX_TRIES = "Max tries reached, no more attempts allowed"


@pytest.fixture
def taken(user: Person, worker: Worker, site: int) -> dict[str, Any]:
    """Element 0 of a LIST job with two attempts, handed out."""
    user.submit()
    [element] = worker.take()
    return element


def lose(database: Database, backoff: Backoff = NO_PAUSE) -> int:
    """Let every lease end, and sweep."""
    database.execute("UPDATE element SET lease_until = now() - interval '1 second' WHERE status IN (3, 4)")
    return leases.sweep(database, backoff)


def statuses(user: Person, element: dict[str, Any]) -> tuple[str, str, int]:
    """Return status of job and element, and the element's attempts."""
    found = user.elements(element["job_id"])[element["id"]]
    return user.job(element["job_id"])["status"], found["status"], found["attempts"]


@pytest.mark.parametrize("missing", ["returncode", "host", "log", "timestamp"])
def test_missing_keys_of_a_report(worker: Worker, taken: dict[str, Any], missing: str) -> None:
    """spec: workqueue 5.2 step 3."""
    body = {"returncode": 1, "host": "h", "log": "l", "timestamp": "t"}
    del body[missing]
    answer = worker.put(path_of(taken), body, headers={"X-Token": taken["token"]})
    assert (answer.status_code, answer.json["error"]) == (400, f"Missing data attributes: ['{missing}']")


@pytest.mark.parametrize(
    "wrong",
    [{"returncode": "0"}, {"returncode": None}, {"returncode": True}, {"log": 3}, {"attempt": 0}, {"attempt": "x"}],
)
def test_wrong_values_of_a_report(worker: Worker, user: Person, taken: dict[str, Any], wrong: dict[str, Any]) -> None:
    """Nothing changes."""
    assert worker.report(taken, **{"returncode": 1, **wrong}).status_code == 400
    assert statuses(user, taken) == ("SUBMITTED", "SUBMITTED", 0)


def test_a_missing_element(worker: Worker, taken: dict[str, Any], database: Database) -> None:
    """spec: workqueue 5.2 step 4, 5.3."""
    database.execute("DELETE FROM job")
    assert worker.report(taken, returncode=1).status_code == 404
    assert worker.progress(taken).status_code == 404


def test_a_list_needs_its_listing(worker: Worker, user: Person, taken: dict[str, Any]) -> None:
    """spec: workqueue 5.2 step 5."""
    assert worker.report(taken).json["error"] == "Missing data attributes: ['listing']"
    assert worker.report(taken, listing="uploaded").status_code == 400
    assert worker.report(taken, returncode=1).status_code == 200


def test_success(worker: Worker, user: Person, taken: dict[str, Any]) -> None:
    """spec: workqueue 5.2: 200 with an empty body; log with its header line (3.6)."""
    answer = worker.report(taken, listing={"/data": [entry("a", 3)]})
    assert (answer.status_code, answer.data) == (200, b"")
    assert statuses(user, taken) == ("DONE", "DONE", 1)
    [[attempt]] = user.get("/jobs/1/output?dialect=pdm").json
    assert attempt == {
        "jobid": 1,
        "elementid": 0,
        "attempt": 1,
        "type": "LIST",
        "status": "DONE",
        "log": "Job run on host: node-1, returncode: 0, timestamp: 2026-01-02T03:04:05\na log\n",
        "listing": {"/data": [entry("a", 3)]},
    }


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("node", "node"),
        (["fqdn", ["alias"], ["::1"]], "fqdn"),
        ([], "[]"),
        (None, "null"),
        ({"a": 1}, '{"a":1}'),
        ("a\nb", "a b"),
    ],
)
def test_hosts_are_anything(worker: Worker, user: Person, taken: dict[str, Any], host: Any, name: str) -> None:
    """spec: workqueue 5.2, Q31; the header stays one line."""
    assert worker.report(taken, returncode=-15, host=host, log="ü\0\n").status_code == 200
    log = user.get("/jobs/1/elements/0/output").json["log"]
    assert (
        log == f"Job run on host: {name}, returncode: -15, timestamp: 2026-01-02T03:04:05\nü\N{REPLACEMENT CHARACTER}\n"
    )


def test_failure_and_another_try(worker: Worker, user: Person, taken: dict[str, Any]) -> None:
    """spec: workqueue 5.4, 5.5: FAILED is not final as long as attempts are left."""
    worker.report(taken, returncode=1)
    assert statuses(user, taken) == ("FAILED", "FAILED", 1)
    [again] = worker.take()
    assert statuses(user, taken) == ("SUBMITTED", "SUBMITTED", 1)
    worker.report(again, returncode=2)
    assert statuses(user, taken) == ("FAILED", "FAILED", 2)
    assert worker.take() == []
    answer = worker.report(again, returncode=0, listing={})
    assert (answer.status_code, answer.json["error"]) == (400, MAX_TRIES)


def test_a_late_report(worker: Worker, user: Person, taken: dict[str, Any]) -> None:
    """spec: workqueue 5.2, T: FAILED and then DONE with the same token."""
    worker.report(taken, returncode=1)
    assert worker.report(taken, listing={}).status_code == 200
    assert statuses(user, taken) == ("DONE", "DONE", 2)


def test_done_stays_done(worker: Worker, user: Person, taken: dict[str, Any]) -> None:
    """spec: workqueue 5.2, 10 Q29."""
    worker.report(taken, listing={})
    for returncode in (0, 1):
        answer = worker.report(taken, returncode=returncode, listing={})
        assert (answer.status_code, answer.json["error"]) == (400, MAX_TRIES)
    assert statuses(user, taken) == ("DONE", "DONE", 1)


def test_a_stale_report(worker: Worker, user: Person, taken: dict[str, Any], database: Database) -> None:
    """spec: workqueue 5.2 step 2: each hand-out has its own token."""
    assert lose(database) == 1
    message = "Token not valid for element 0 of job 1"
    again: list[dict[str, Any]] = []
    while not again:
        answer = worker.report(taken, listing={})
        assert (answer.status_code, answer.json["error"]) == (403, message)
        assert worker.progress(taken, control=True).json["cancel"] is True
        again = worker.take()
    assert worker.report(taken, listing={}).status_code == 403
    assert worker.report(again[0], listing={}).status_code == 200
    assert statuses(user, taken) == ("DONE", "DONE", 2)


def test_a_repeated_report_counts_once(worker: Worker, user: Person, taken: dict[str, Any]) -> None:
    """A worker that got no answer sends the report again."""
    for _ in range(3):
        assert worker.report(taken, returncode=1, attempt=1).status_code == 200
    assert statuses(user, taken) == ("FAILED", "FAILED", 1)


def test_permanent_errors_are_final(worker: Worker, user: Person, taken: dict[str, Any]) -> None:
    """Nothing is gained by another attempt."""
    worker.report(taken, returncode=1, permanent=True)
    assert worker.take() == []
    assert statuses(user, taken) == ("FAILED", "FAILED", 1)


def test_pauses_between_attempts_double(worker: Worker, user: Person, site: int, database: Database) -> None:
    """spec: workqueue 10 Q26: 2, 4, 8 seconds and never more than the longest."""
    user.submit(max_tries=5)
    worker.take()
    pauses = []
    for _ in range(4):
        lose(database, Backoff(2, 10))
        pauses.append(database.value("SELECT extract(epoch FROM not_before - changed_at)::float FROM element"))
        assert worker.take() == []
        database.execute("UPDATE element SET not_before = now() - interval '1 second'")
        assert len(worker.take()) == 1
    assert [round(pause) for pause in pauses] == [2, 4, 8, 10]


def test_a_lost_worker_costs_an_attempt(
    worker: Worker, user: Person, taken: dict[str, Any], database: Database
) -> None:
    """spec: workqueue 5.4, T, 10 Q25: a synthetic attempt that says so."""
    assert leases.sweep(database, NO_PAUSE) == 0
    worker.progress(taken)
    assert lose(database) == 1
    assert statuses(user, taken) == ("FAILED", "FAILED", 1)
    output = user.get("/jobs/1/elements/0/output/1").json
    assert output["status"] == "FAILED"
    assert "The worker was lost: no sign of life for 60 seconds" in output["log"]
    assert "worker 7" in output["log"]
    worker.take()
    lose(database)
    assert worker.take() == []
    assert statuses(user, taken) == ("FAILED", "FAILED", 2)


@pytest.mark.parametrize("missing", ["transferred", "elapsed", "instant", "average"])
def test_missing_keys_of_progress(worker: Worker, taken: dict[str, Any], missing: str) -> None:
    """spec: workqueue 5.3."""
    body = dict.fromkeys(("transferred", "elapsed", "instant", "average"), 1)
    del body[missing]
    answer = worker.put(path_of(taken) + "/monitoring", body, headers={"X-Token": taken["token"]})
    assert answer.status_code == 400


@pytest.mark.parametrize("value", ["1", None, [], True])
def test_wrong_values_of_progress(worker: Worker, taken: dict[str, Any], value: Any) -> None:
    """Readers compute with them."""
    assert worker.progress(taken, average=value).status_code == 400


def test_progress(worker: Worker, user: Person, taken: dict[str, Any]) -> None:
    """spec: workqueue 5.3, 4.4: the five known keys are stored."""
    assert user.get("/jobs/1/elements/0/status").json["transferred"] == "N/A"
    answer = worker.progress(taken, 5, id="9.9", more="x")
    assert (answer.status_code, answer.data) == (200, b"")
    expected = {"id": "1.0", "transferred": 5, "elapsed": 2.0, "instant": 3, "average": 4}
    assert user.elements(1)[0]["monitoring_info"] == expected
    assert user.get("/jobs/1/status").json == {"jobid": 1, "status": "RUNNING"}
    assert user.get("/jobs/1/elements/0/status").json == {
        "jobid": 1,
        "elementid": 0,
        "status": "RUNNING",
        "attempts": 0,
        "transferred": 5,
        "instant": 3,
        "average": 4,
        "elapsed": 2.0,
    }


@pytest.mark.parametrize(("elapsed", "average"), [(4, 25), (0, 0)])
def test_unknown_progress_at_the_end(
    worker: Worker, user: Person, taken: dict[str, Any], database: Database, elapsed: int, average: float
) -> None:
    """spec: workqueue 5.3, 10 Q32."""
    database.execute("UPDATE element SET size = 100")
    worker.progress(taken, -1, instant=-1, average=-1, elapsed=elapsed)
    progress = user.elements(1)[0]["monitoring_info"]
    assert (progress["transferred"], progress["average"], progress["instant"]) == (100, average, -1)


def test_progress_extends_the_lease(worker: Worker, user: Person, site: int, database: Database) -> None:
    """spec: workqueue 5.3, T."""
    user.submit()
    [element] = worker.take(lease=100)
    database.execute("UPDATE element SET lease_until = now() + interval '1 second'")
    assert worker.progress(element, control=True).json == {"cancel": False, "lease": 100.0}
    assert 90 < database.value("SELECT extract(epoch FROM lease_until - now())::float FROM element") <= 100


def test_late_progress_changes_nothing(worker: Worker, user: Person, taken: dict[str, Any]) -> None:
    """spec: workqueue 5.3, 10 Q28."""
    worker.report(taken, returncode=1)
    assert worker.progress(taken).status_code == 200
    assert statuses(user, taken) == ("FAILED", "FAILED", 1)
    assert user.elements(1)[0]["monitoring_info"] is None


def test_progress_is_cleared_by_the_next_hand_out(worker: Worker, user: Person, taken: dict[str, Any]) -> None:
    """spec: workqueue 5.3, T; the last attempt counts as failed meanwhile (4.5, Q19)."""
    worker.progress(taken)
    worker.report(taken, returncode=1)
    assert user.elements(1)[0]["monitoring_info"] is not None
    worker.take()
    assert user.elements(1)[0]["monitoring_info"] is None
    assert [each["status"] for each in user.get("/jobs/1/elements/0/output?view=all").json] == ["FAILED"]


def test_batches(worker: Worker, user: Person, site: int) -> None:
    """Many results and signs of life in one request, each answered for itself."""
    for _ in range(5):
        user.submit(max_tries=1)
    taken = worker.take()

    def send(name: str, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        rows = [{"job_id": e["job_id"], "element_id": e["id"], "token": e["token"], **e["body"]} for e in items]
        answer = worker.post(f"/worker/{name}", {"reports": rows})
        assert answer.status_code == 200, answer.text
        results: list[dict[str, Any]] = answer.json["results"]
        assert [row["job_id"] for row in results] == [row["job_id"] for row in rows]
        return results

    numbers = {"transferred": 1, "elapsed": 1, "instant": 1, "average": 1}
    bodies: list[dict[str, Any]] = [numbers, {}, {"transferred": 1}, {}, numbers]
    alive = send("monitoring", [{**e, "body": body} for e, body in zip(taken, bodies, strict=True)])
    assert [row["cancel"] for row in alive] == [False, False, True, False, False]
    assert [user.job(n)["status"] for n in (1, 2)] == ["RUNNING", "SUBMITTED"]

    result = {"returncode": 0, "host": "h", "log": "l", "timestamp": "t", "listing": {}}
    bodies = [result, {**result, "returncode": 1}, {}, {**result, "listing": {"/x": [{"name": "no mode"}]}}, result]
    items = [{**e, "body": body} for e, body in zip(taken, bodies, strict=True)]
    items[4] = {**items[4], "token": "forged"}
    assert [row["status"] for row in send("reports", [*items, items[0]])] == [200, 200, 400, 400, 403, 400]
    assert [user.job(n)["status"] for n in range(1, 6)] == ["DONE", "FAILED", "SUBMITTED", "SUBMITTED", "RUNNING"]
    twice = {**taken[2], "body": result}
    assert [row["status"] for row in send("reports", [twice, twice])] == [200, 400]


@pytest.mark.parametrize("body", [{}, {"reports": []}, {"reports": [1]}, {"reports": {}}, {"reports": [{}] * 1001}])
@pytest.mark.parametrize("name", ["reports", "monitoring"])
def test_wrong_batches(worker: Worker, name: str, body: dict[str, Any]) -> None:
    """A batch is a list of 1 to 1,000 objects."""
    assert worker.post(f"/worker/{name}", body).status_code == 400


MIXES = [
    ("NEW NEW", "NEW"),
    ("RUNNING DONE NEW", "RUNNING"),
    ("RUNNING SUBMITTED FAILED", "RUNNING"),
    ("SUBMITTED DONE FAILED", "SUBMITTED"),
    ("DONE NEW NEW", "SUBMITTED"),
    ("FAILED NEW", "SUBMITTED"),
    ("FAILED DONE", "FAILED"),
    ("FAILED FAILED", "FAILED"),
    ("DONE DONE", "DONE"),
]


@pytest.mark.parametrize(("mix", "status"), MIXES)
def test_the_status_of_a_job(user: Person, site: int, database: Database, mix: str, status: str) -> None:
    """spec: workqueue 5.5, 10 Q27."""
    names = ["NEW", "DONE", "FAILED", "SUBMITTED", "RUNNING"]
    job = user.submit()
    database.execute("DELETE FROM element")
    database.execute("UPDATE job SET num_elements = 0, num_new = 0, num_claimable = 0")
    numbers = [names.index(name) for name in mix.split()]
    database.execute(
        "INSERT INTO element (job_id, id, type, src_filepath, max_tries, status) SELECT %s, n, 0, '/', 2, s"
        " FROM unnest(%s::int[]) WITH ORDINALITY u(s, n)",
        [job, numbers],
    )
    found = user.job(job)
    assert found["status"] == status
    assert found["num_elements"] == len(numbers)
    for number, name in enumerate(names):
        assert found[f"num_{name.lower()}"] == numbers.count(number)


def test_output_before_the_first_attempt(user: Person, worker: Worker, taken: dict[str, Any]) -> None:
    """spec: workqueue 4.5."""
    message = "No attempts have yet been recorded for element 0 of job 1. Please try later."
    for path in ("/jobs/1/elements/0/output", "/jobs/1/elements/0/output/1", "/jobs/1/elements/0/output/x"):
        answer = user.get(path)
        assert (answer.status_code, answer.json["error"]) == (404, message)
    assert user.get("/jobs/1/output").json == []
    assert user.get("/jobs/1/output?dialect=pdm").json == [[]]


def test_output_of_attempts(user: Person, worker: Worker, taken: dict[str, Any]) -> None:
    """spec: workqueue 4.5, every row of U13."""
    worker.report(taken, returncode=1, log="first")
    worker.report(worker.take()[0], listing={}, log="second")
    first, second = user.get("/jobs/1/elements/0/output?dialect=pdm").json
    assert (first["status"], first["attempt"], second["status"], second["attempt"]) == ("FAILED", 1, "DONE", 2)
    assert "listing" not in first
    assert second["listing"] == {}
    for number, expected in (("1", first), ("2", second), ("-1", second), ("-2", first), ("+1", None), ("01", first)):
        answer = user.get(f"/jobs/1/elements/0/output/{number}?dialect=pdm")
        assert answer.json == expected if expected else answer.status_code == 400
    for number, shown in (("0", 0), ("3", 3), ("-3", 0), ("-9", -6)):
        answer = user.get(f"/jobs/1/elements/0/output/{number}")
        message = f"Invalid attempt '{shown}', job.element 1.0 has been tried 2 time(s)"
        assert (answer.status_code, answer.json["error"]) == (404, message)
    for number in ("x", "1.5", " ", "one"):
        answer = user.get(f"/jobs/1/elements/0/output/{number}")
        assert (answer.status_code, answer.json["error"]) == (400, "bad attempt, expected an integer.")
    assert user.get("/jobs/1/elements/1/output").status_code == 404
    assert user.get("/jobs/2/output").status_code == 404


def test_logs_are_kept_within_bounds(user: Person, worker: Worker, taken: dict[str, Any]) -> None:
    """A log of a worker gone mad does not fill the database."""
    worker.report(taken, returncode=1, log="x" * 1_500_000)
    log = user.get("/jobs/1/elements/0/output").json["log"]
    assert len(log) < 1_001_000
    assert log.endswith("(the rest of this log was too long to keep)\n")


def test_tokens_are_of_one_hand_out(worker: Worker, taken: dict[str, Any], database: Database) -> None:
    """spec: workqueue 10 Q5."""
    lose(database)
    assert worker.take()[0]["token"] != taken["token"]


def test_any_trusted_worker_may_report_with_the_token(
    user: Person, worker: Worker, taken: dict[str, Any], known: KnownPrincipals, make_site: Callable[..., int]
) -> None:
    """The token is the proof; a host may have several workers."""
    other = Worker(worker.client, known.add_worker(8), 8)
    assert other.report(taken, listing={}).status_code == 200
    assert uuid.UUID(user.job(1)["log_uid"]).version == 4
