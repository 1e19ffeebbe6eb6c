"""Where the services keep their data: databases, roles and the broker on one PostgreSQL server."""

from collections.abc import Iterable
from urllib.parse import urlsplit, urlunsplit

import psycopg
from pgmq.install import install_pgmq_from_sql

from embedded.server import DatabaseServer
from embedded.services import BROKER_DATABASE
from embedded.vault import Vault


class StorageFailed(Exception):
    """The database server of one's own cannot be used."""


class Storage:
    """Databases on `server`, each owned by a role of its own whose password is in the vault."""

    def __init__(self, server: DatabaseServer, vault: Vault) -> None:
        self._server = server
        self._vault = vault

    def dsn(self, database: str) -> str:
        """Address of `database` for the role that owns it, which has the same name."""
        return self._server.dsn(database, role=database, password=self._vault.get(f"{database}.password"))

    def broker_url(self) -> str:
        """Address of the message broker in the database `taskyard_broker`, for kombu."""
        return urlunsplit(urlsplit(self.dsn(BROKER_DATABASE))._replace(scheme="pgmq"))

    def prepare(self, databases: Iterable[str], *, broker: bool) -> None:
        """Make the databases that are missing, and the broker's if it is to live here."""
        try:
            for database in databases:
                self._ensure(database)
            if broker:
                self._ensure_broker()
        except psycopg.Error as error:
            where = urlsplit(self._server.admin_dsn)
            reason = str(error).strip().splitlines()[0] if str(error) else type(error).__name__
            raise StorageFailed(f"PostgreSQL at {where.hostname}:{where.port or 5432}: {reason}") from None

    def _ensure(self, database: str) -> None:
        self._server.ensure_role(database, self._vault.get(f"{database}.password"))
        self._server.ensure_database(database, database)

    def _ensure_broker(self) -> None:
        self._ensure(BROKER_DATABASE)
        with psycopg.connect(self.dsn(BROKER_DATABASE)) as connection:
            # Not by the schema alone: an installation that was cut short is one transaction and leaves nothing.
            installed = connection.execute("SELECT to_regclass('pgmq.meta')").fetchone()
            if installed == (None,):
                install_pgmq_from_sql(conn=connection)
