"""A running PostgreSQL server and the databases and roles on it."""

import uuid
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql


@dataclass
class DatabaseServer:
    """A server, known by the address of its administrator (`postgresql://user:password@host:port/database`)."""

    admin_dsn: str
    _created: list[str] = field(default_factory=list)

    def dsn(self, database: str, *, role: str | None = None, password: str | None = None) -> str:
        """Address of `database` for the administrator, or for `role` with `password`."""
        parts = urlsplit(self.admin_dsn)
        netloc = parts.netloc
        if role is not None:
            secret = f":{quote(password, safe='')}" if password else ""
            netloc = f"{quote(role, safe='')}{secret}@{netloc.rpartition('@')[2]}"
        return urlunsplit(parts._replace(netloc=netloc, path=f"/{quote(database, safe='')}"))

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """Connect as the administrator, autocommit."""
        return psycopg.connect(self.admin_dsn, autocommit=True, connect_timeout=5)

    def create_database(self, template: str | None = None) -> str:
        """Create an empty database with a new name, or a copy of the database `template`; return its address.

        `template` is a database's name or its address; nobody may be connected to it.
        """
        name = f"test_{uuid.uuid4().hex[:16]}"
        source = "template1" if template is None else urlsplit(template).path.lstrip("/") or template
        with self.connect() as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
                    sql.Identifier(name), sql.Identifier(source)
                )
            )
        self._created.append(name)
        return self.dsn(name)

    def drop_created(self) -> None:
        """Drop the databases that `create_database` made through this object, connected clients or not."""
        with self.connect() as connection:
            while self._created:
                name = sql.Identifier(self._created.pop())
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))

    def ensure_role(self, role: str, password: str) -> None:
        """Create `role` if it is not there, and let it log in with `password` and do nothing else."""
        with self.connect() as connection:
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
            verb = sql.SQL("ALTER" if known else "CREATE")
            connection.execute(
                sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, sql.Identifier(role), sql.Literal(password))
            )

    def ensure_database(self, database: str, owner: str) -> bool:
        """Create `database`, owned by `owner` and closed to other roles; True if it is new."""
        with self.connect() as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone()
            if known:
                return False
            names = {"database": sql.Identifier(database), "owner": sql.Identifier(owner)}
            # On a hosted server the administrator must be a member of the role to give it a database.
            connection.execute(sql.SQL("GRANT {owner} TO CURRENT_USER").format(**names))
            connection.execute(sql.SQL("CREATE DATABASE {database} OWNER {owner}").format(**names))
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {database} FROM PUBLIC").format(**names))
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.drop_created()
