"""PostgreSQL: a pool of connections, single statements and transactions."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, LiteralString

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from chassis.errors import Unavailable

Params = Mapping[str, Any] | Sequence[Any] | None

STATEMENT_TIMEOUT_MS = 30_000
LOCK_TIMEOUT_MS = 5_000
IDLE_IN_TRANSACTION_MS = 30_000
# The pool doubles the wait between its attempts. It gives up after this long and begins anew with the next statement:
# otherwise an outage of an hour would go on for another hour after the server is back.
RECONNECT_SECONDS = 5.0


class Transaction:
    """Statements that take effect together, or not at all."""

    def __init__(self, connection: psycopg.Connection[DictRow]) -> None:
        self.connection = connection

    def all(self, sql: LiteralString, params: Params = None) -> list[DictRow]:
        """Return every row of the answer."""
        return self.connection.execute(sql, params).fetchall()

    def one(self, sql: LiteralString, params: Params = None) -> DictRow | None:
        """Return the first row, or ``None`` when there is none."""
        return self.connection.execute(sql, params).fetchone()

    def value(self, sql: LiteralString, params: Params = None) -> Any:
        """Return the first column of the first row, or ``None`` when there is none."""
        row = self.one(sql, params)
        return None if row is None else next(iter(row.values()))

    def execute(self, sql: LiteralString, params: Params = None) -> int:
        """Run a statement and return how many rows it touched."""
        return self.connection.execute(sql, params).rowcount

    def many(self, sql: LiteralString, rows: Sequence[Params]) -> None:
        """Run a statement once for each of ``rows``, pipelined."""
        with self.connection.cursor() as cursor:
            cursor.executemany(sql, [row for row in rows if row is not None])


_joined: ContextVar[tuple["Database", Transaction] | None] = ContextVar("joined", default=None)


def _tells_of_lost_server(error: Exception) -> bool:
    """Whether the server went away, with a last word (57P01, 57P02) or without one."""
    return isinstance(error, psycopg.OperationalError) and (error.sqlstate or "08000").startswith(("08", "57P0"))


class Database:
    """One service's own database.

    Raises :class:`chassis.errors.Unavailable` when the server is away or the pool has been empty for
    ``timeout`` seconds. Errors that the SQL itself causes (``psycopg.errors.UniqueViolation``, ...) pass through.
    """

    def __init__(self, dsn: str, *, name: str, min_size: int = 1, max_size: int = 10, timeout: float = 5.0) -> None:
        self.dsn = dsn
        self._pool = ConnectionPool(
            dsn,
            name=name,
            min_size=min_size,
            max_size=max_size,
            timeout=timeout,
            open=False,
            kwargs={
                "autocommit": True,
                "row_factory": dict_row,
                "application_name": name,
                "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c lock_timeout={LOCK_TIMEOUT_MS}"
                f" -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_MS} -c timezone=UTC -c jit=off",
                "connect_timeout": 5,
            },
            reconnect_timeout=RECONNECT_SECONDS,
            connection_class=psycopg.Connection[DictRow],
        )

    def open(self) -> "Database":
        """Start to connect in the background; returns at once."""
        self._pool.open()
        return self

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()

    def __enter__(self) -> "Database":
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _statements(self) -> Iterator[Transaction]:
        joined = _joined.get()
        if joined is not None and joined[0] is self:
            # A savepoint, because who catches an error of a statement goes on afterwards.
            with joined[1].connection.transaction():
                yield joined[1]
            return
        try:
            with self._pool.connection() as connection:
                yield Transaction(connection)
        except (
            psycopg.OperationalError,
            psycopg.InterfaceError,
            PoolTimeout,
            PoolClosed,
            TooManyRequests,
        ) as error:
            if _tells_of_lost_server(error):
                # Drop the other dead connections now, not one failed request at a time.
                self._pool.check()
            raise Unavailable("database") from error

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Commit what the block did, or undo all of it when the block raises."""
        with self._statements() as statements, statements.connection.transaction():
            yield statements

    @contextmanager
    def joined(self) -> Iterator[Transaction]:
        """Make one transaction of all that the block does with this database, in its own thread or greenlet."""
        with self.transaction() as tx:
            token = _joined.set((self, tx))
            try:
                yield tx
            finally:
                _joined.reset(token)

    def is_joined(self) -> bool:
        """Whether the caller is inside a block of :meth:`joined`, so that others must not commit its work."""
        joined = _joined.get()
        return joined is not None and joined[0] is self

    def all(self, sql: LiteralString, params: Params = None) -> list[DictRow]:
        """Return every row of a statement that is a transaction of its own."""
        with self._statements() as statements:
            return statements.all(sql, params)

    def one(self, sql: LiteralString, params: Params = None) -> DictRow | None:
        """Return the first row of a statement that is a transaction of its own, or ``None``."""
        with self._statements() as statements:
            return statements.one(sql, params)

    def value(self, sql: LiteralString, params: Params = None) -> Any:
        """Return the first column of the first row of a statement that is a transaction of its own."""
        with self._statements() as statements:
            return statements.value(sql, params)

    def execute(self, sql: LiteralString, params: Params = None) -> int:
        """Run a statement that is a transaction of its own and return how many rows it touched."""
        with self._statements() as statements:
            return statements.execute(sql, params)
