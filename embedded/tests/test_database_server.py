"""The databases that tests get."""

import psycopg
import pytest

from embedded.server import DatabaseServer


def test_each_database_is_a_new_one(each_postgres: DatabaseServer) -> None:
    first, second = each_postgres.create_database(), each_postgres.create_database()
    with psycopg.connect(first) as connection:
        connection.execute("CREATE TABLE only_here (id int)")
    with psycopg.connect(second) as connection:
        assert connection.execute("SELECT to_regclass('only_here')").fetchone() == (None,)


def test_a_template_is_copied(each_postgres: DatabaseServer) -> None:
    template = each_postgres.create_database()
    with psycopg.connect(template) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    with psycopg.connect(each_postgres.create_database(template)) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_databases_can_be_dropped_while_clients_are_connected(each_postgres: DatabaseServer) -> None:
    server = DatabaseServer(each_postgres.admin_dsn)
    dsn = server.create_database()
    with psycopg.connect(dsn, autocommit=True) as client:
        server.drop_created()
        with pytest.raises(psycopg.OperationalError):
            client.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(dsn)


def test_the_embedded_server_asks_for_a_password(postgres_server: DatabaseServer) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres_server.dsn("postgres", role="postgres", password="guess"))
