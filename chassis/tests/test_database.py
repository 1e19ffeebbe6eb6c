"""The database layer against a real server."""

from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest

from chassis.database import Database
from chassis.errors import Unavailable
from chassis.migrations import migrate, pending
from chassis.testing import MakeDatabase, Server
from chassis.testing.cable import Cable
from chassis.testing.waiting import eventually


@pytest.fixture
def database(make_database: MakeDatabase) -> Database:
    database = make_database()
    database.execute("CREATE TABLE note (id int PRIMARY KEY, text text)")
    return database


def test_a_transaction_takes_effect_as_a_whole(database: Database) -> None:
    with database.transaction() as tx:
        assert tx.execute("INSERT INTO note VALUES (1, 'a'), (2, 'b')") == 2
    assert database.all("SELECT id FROM note ORDER BY id") == [{"id": 1}, {"id": 2}]
    assert database.one("SELECT text FROM note WHERE id = %s", [9]) is None
    assert database.value("SELECT count(*) FROM note") == 2


def test_a_transaction_that_raises_leaves_nothing(database: Database) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation), database.transaction() as tx:
        tx.many("INSERT INTO note VALUES (%s, %s)", [(1, "a"), (1, "b")])
    assert database.value("SELECT count(*) FROM note") == 0


def test_a_lost_connection_is_unavailable_once_and_heals(database: Database) -> None:
    with pytest.raises(Unavailable), database.transaction() as tx:
        tx.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert database.value("SELECT 1") == 1


def test_a_server_that_ended_costs_one_request_not_one_for_each_connection(each_postgres: Server) -> None:
    """Backends of a server that crashes or stops say so (57P01, 57P02) to whoever uses them next."""
    dsn = each_postgres.create_database()
    with Database(dsn, name="ends", min_size=4) as database:
        with ExitStack() as at_once:
            for _ in range(4):
                at_once.enter_context(database.transaction())
        with psycopg.connect(dsn) as other:
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ends'")
        with pytest.raises(Unavailable):
            database.value("SELECT 1")
        assert [database.value("SELECT 1") for _ in range(4)] == [1] * 4


def test_a_long_outage_does_not_go_on_when_the_server_is_back(
    make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pool that doubles its wait for ever would come back as late again as the outage was long."""
    monkeypatch.setattr("psycopg_pool.base.AttemptWithBackoff.INITIAL_DELAY", 0.02)
    monkeypatch.setattr("chassis.database.RECONNECT_SECONDS", 0.2)
    cable = Cable(make_database().dsn)
    with closing(cable), Database(cable.url, name="cut", timeout=0.1) as database:
        assert database.value("SELECT 1") == 1
        cable.cut()
        # With the wait doubled each time the thirtieth attempt would be made after 124 days.
        eventually(lambda: _unavailable(database) and cable.refused >= 30, 30)
        cable.mend()
        eventually(lambda: not _unavailable(database))


def _unavailable(database: Database) -> bool:
    try:
        database.value("SELECT 1")
    except Unavailable:
        return True
    return False


def test_an_absent_server_is_unavailable() -> None:
    with Database("postgresql://x@127.0.0.1:1/x", name="absent", timeout=0.2) as absent, pytest.raises(Unavailable):
        absent.value("SELECT 1")


def test_migrations_apply_once_and_say_what_is_pending(each_postgres: Server, tmp_path: Path) -> None:
    dsn = each_postgres.create_database()
    (tmp_path / "0001_first.sql").write_text("CREATE TABLE first (id int)")
    assert "0001_first" in pending(dsn, tmp_path)
    assert "0001_first" in migrate(dsn, tmp_path)
    assert migrate(dsn, tmp_path) == []
    (tmp_path / "0002_second.sql").write_text("CREATE TABLE second (id int)")
    assert pending(dsn, tmp_path) == ["0002_second"]
    assert migrate(dsn, tmp_path) == ["0002_second"]
