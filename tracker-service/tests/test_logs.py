"""Reports of workers: written, stored in the background, read back (spec: tracker 4.5, 7, Q-14, Q-36, Q-48)."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
import structlog
from structlog.testing import capture_logs

from chassis.database import Database
from chassis.errors import Unavailable
from chassis.testing import MakeDatabase
from chassis.testing.contract_client import ContractClient
from chassis.testing.identity import KnownPrincipals
from tracker_service import logs
from tracker_service.app import make_app
from tracker_service.container import Container
from tracker_service.logs import LogEntry, LogWriter
from tracker_service.paths import MIGRATIONS
from tracker_service.settings import TrackerSettings

Headers = dict[str, str]
Wait = Callable[[Callable[[], Any]], Any]

REPORT = {"scope": "Arbitrary log category", "message": "message", "timestamp": 1559393394}
UNPARSED = (400, "Could not parse request")


def refusal(answer: Any) -> tuple[int, str]:
    assert answer.json["ok"] is False
    return answer.status_code, answer.json["message"]


def entry(number: int = 1, level: str = "info", **fields: Any) -> LogEntry:
    return LogEntry(
        **{"level": level, "worker": 7, "scope": "s", "message": f"m{number}", "timestamp": number, **fields}
    )


def read(client: ContractClient, level: int, since: int = 1) -> list[dict[str, Any]]:
    answer: Any = client.post("/logs", json={"level": level, "since": since})
    assert answer.status_code == 200
    return list(answer.json["content"]["logs"])


class TestWrite:
    """POST /log/trace, /log/info, /log/warn, /log/error"""

    @pytest.mark.parametrize(("level", "number"), [("error", 3), ("warn", 4), ("info", 5)])
    def test_is_stored_with_the_workers_time(
        self, client: ContractClient, known: KnownPrincipals, container: Container, level: str, number: int
    ) -> None:
        """200 with a body (DESIGN 10); the data is a text that holds a JSON document"""
        assert client.post(f"/log/{level}", json=REPORT, headers=known.add_worker(7)).json == {"ok": True}
        container.log_writer.flush()
        (stored,) = read(client, number)
        assert orjson.loads(stored.pop("data")) == {"scope": "Arbitrary log category", "worker": 7}
        assert stored == {"message": "message", "timestamp": 1559393394, "level": number}

    def test_trace_goes_to_the_process_log_alone(
        self, client: ContractClient, known: KnownPrincipals, container: Container, database: Database
    ) -> None:
        """spec: tracker 7: which levels are stored is configuration"""
        structlog.reset_defaults()  # whatever level an earlier test has asked for
        with capture_logs() as lines:
            assert client.post("/log/trace", json=REPORT, headers=known.add_worker(7)).status_code == 200
        container.log_writer.flush()
        assert database.value("SELECT count(*) FROM log_entry") == 0
        (line,) = [line for line in lines if line["event"] == "worker_log"]
        assert (line["worker"], line["message"], line["scope"]) == (7, "message", "Arbitrary log category")

    def test_keys_in_any_case(self, client: ContractClient, known: KnownPrincipals, container: Container) -> None:
        """The Go client sends Message (spec: tracker 14)"""
        body = {"scope": "task_tracker go client", "Message": "hello", "timestamp": 1}
        assert client.post("/log/info", json=body, headers=known.add_worker(7)).status_code == 200
        container.log_writer.flush()
        assert read(client, 5, 0 + 1) == []
        assert container.database.value("SELECT message FROM log_entry") == "hello"

    @pytest.mark.parametrize(
        "broken",
        [
            {"scope": ""},
            {"scope": None},
            {"message": ""},
            {"timestamp": 0},
            {"timestamp": -5},
            {"timestamp": "1"},
            {"message": "a\0b"},
            {"scope": "\0"},
            {"message": "x" * 65537},
        ],
    )
    def test_any_failure_has_one_text(
        self, client: ContractClient, known: KnownPrincipals, broken: dict[str, Any]
    ) -> None:
        """spec: tracker 4.5"""
        answer = client.post("/log/info", json={**REPORT, **broken}, headers=known.add_worker(7))
        assert refusal(answer) == UNPARSED

    def test_needs_a_worker(self, client: ContractClient, known: KnownPrincipals, admin: Headers) -> None:
        """spec: tracker 2.1: also a failed worker check"""
        wrong = {**known.add_worker(7), "X-Secret": "wrong"}
        for headers in ({}, admin, wrong):
            assert refusal(client.post("/log/error", json=REPORT, headers=headers)) == UNPARSED

    def test_there_is_no_debug(self, client: ContractClient, known: KnownPrincipals) -> None:
        """spec: tracker 4.5"""
        assert client.post("/log/debug", json=REPORT, headers=known.add_worker(7)).status_code == 404

    def test_a_time_that_cannot_be_stored(
        self, client: ContractClient, known: KnownPrincipals, container: Container
    ) -> None:
        """spec: tracker 7: the caller still gets its answer"""
        for timestamp in (2**31 - 1, 2**31, 2**63 - 1):
            body = {**REPORT, "timestamp": timestamp}
            assert client.post("/log/info", json=body, headers=known.add_worker(7)).status_code == 200
        container.log_writer.flush()
        assert [stored["timestamp"] for stored in read(client, 5)] == [2**31 - 1]


class TestRead:
    """POST /logs"""

    @pytest.mark.parametrize("body", [b"", b"{", b'{"level":"3"}', b'{"since":1.5}'])
    def test_a_body_that_cannot_be_parsed(self, client: ContractClient, body: bytes) -> None:
        """Row 1"""
        assert refusal(client.post("/logs", data=body)) == UNPARSED

    @pytest.mark.parametrize("body", [{}, {"level": 3}, {"level": 3, "since": 0}, {"since": -1}])
    def test_no_time(self, client: ContractClient, body: dict[str, int]) -> None:
        """Row 2"""
        assert refusal(client.post("/logs", json=body)) == (400, "Invalid log request")

    @pytest.mark.parametrize("level", [0, 1, -(2**63), 2**63 - 1])
    def test_none(self, client: ContractClient, level: int) -> None:
        """`[]` (Q-48)"""
        assert read(client, level) == []

    def test_newest_first_of_exactly_one_level_after_a_time(self, client: ContractClient, container: Container) -> None:
        """Row 4, Q-48"""
        for number in (3, 1, 4, 2):
            container.log_writer.add(entry(number))
        container.log_writer.add(entry(9, "error"))
        container.log_writer.flush()
        assert [stored["timestamp"] for stored in read(client, 5, 1)] == [4, 3, 2]
        assert read(client, 5, 4) == []
        assert read(client, 5, 2**63 - 1) == []

    def test_is_capped(self, client: ContractClient, container: Container) -> None:
        """Q-14: the newest stay"""
        for number in range(1, 1_003):
            container.log_writer.add(entry(number))
        container.log_writer.flush()
        times = [stored["timestamp"] for stored in read(client, 5, 1)]
        assert times == list(range(1_002, 2, -1))

    def test_may_be_for_managers_alone(self, container: Container, settings: TrackerSettings, manager: Headers) -> None:
        """Q-14: an option"""
        object.__setattr__(container, "settings", settings.model_copy(update={"logs_require_manager": True}))
        app = make_app(container)
        app.test_client_class = ContractClient
        client = app.test_client(use_cookies=False)
        assert refusal(client.post("/logs", json={"level": 3, "since": 1})) == (401, "Unauthorized")
        assert client.post("/logs", json={"level": 3, "since": 1}, headers=manager).status_code == 200

    def test_database_away(self, client: ContractClient, database: Database) -> None:
        """503 instead of row 3's 500: it is for the moment"""
        database.close()
        assert client.post("/logs", json={"level": 3, "since": 1}).status_code == 503


class TestWriter:
    """Stores in the background; what waits is stored at the end (Q-48)."""

    def test_stores_without_being_asked(self, database: Database, wait_until: Wait) -> None:
        """Some tenths of a second later"""
        writer = LogWriter(database, {"info"})
        writer.start()
        writer.add(entry())
        assert wait_until(lambda: database.value("SELECT count(*) FROM log_entry")) == 1
        writer.stop(5)

    @pytest.mark.parametrize("started", [True, False])
    def test_stop_loses_nothing(self, database: Database, started: bool) -> None:
        """More than one batch, in order"""
        writer = LogWriter(database, {"info"})
        if started:
            writer.start()
        for number in range(1, 2_502):
            writer.add(entry(number))
        writer.stop(10)
        rows = database.all("SELECT message FROM log_entry ORDER BY id")
        assert [row["message"] for row in rows] == [f"m{number}" for number in range(1, 2_502)]

    def test_a_full_queue_refuses(self, database: Database) -> None:
        """Back-pressure instead of growth or silent loss"""
        writer = LogWriter(database, {"info"}, capacity=2)
        writer.add(entry(1))
        writer.add(entry(2))
        with pytest.raises(Unavailable):
            writer.add(entry(3))
        writer.add(entry(4, "trace"))
        writer.flush()
        writer.add(entry(5))

    def test_waits_while_storage_fails(self, make_database: MakeDatabase) -> None:
        """Nothing is lost by a failed try"""
        database = make_database(MIGRATIONS)
        writer = LogWriter(database, {"info"})
        database.execute("ALTER TABLE log_entry RENAME TO elsewhere")
        writer.add(entry(1))
        with capture_logs() as lines:
            writer.stop(0.3)
        assert {line["event"] for line in lines} == {"log_entries_not_stored"}
        database.execute("ALTER TABLE elsewhere RENAME TO log_entry")
        writer.flush()
        assert database.value("SELECT message FROM log_entry") == "m1"


def test_retention_counts_from_the_day_of_storage(database: Database) -> None:
    """Q-48; a worker's clock decides nothing"""
    writer = LogWriter(database, {"info"})
    for number in (1, 2):
        writer.add(entry(number))
    writer.flush()
    database.execute("UPDATE log_entry SET stored_at = now() - interval '2 hours' WHERE message = 'm1'")
    assert logs.prune(database, 3_600) == 1
    assert logs.prune(database, 3_600) == 0
    assert database.value("SELECT message FROM log_entry") == "m2"
