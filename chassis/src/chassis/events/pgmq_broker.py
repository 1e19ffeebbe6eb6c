"""PGMQ: the broker of the one-machine run, tables in a PostgreSQL database of its own."""

# kombu has no type hints.
# mypy: disallow-untyped-calls=False

import math
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from kombu.connection import Connection
from kombu.entity import Queue
from kombu.message import Message
from kombu.transport import pgmq, virtual
from pgmq import PGMQueue
from pgmq.install import install_pgmq_from_sql
from psycopg import sql
from psycopg_pool import ConnectionPool

from chassis.events.broker import CONNECT_SECONDS, DELIVERY_LIMIT, Broker, obituary

VISIBILITY_SECONDS = 30
# A server that is gone without a word holds no lock for longer than this.
KEEPALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
# Between two looks at the queue when no notification came.
POLL_SECONDS = 2
ADVISORY_LOCK = 0x70676D71


class Transport(pgmq.Transport):
    """kombu's transport without its look at the list of all queues before every step.

    The look costs a query each time. And when it failed, kombu would go on with a new connection that receives
    nothing, where we want the error.

    It also has one session instead of a pool of them: with a session that is lost, a lock on the queue and the
    deliveries taken under it are lost at the same moment.
    """

    _pool: ConnectionPool | None = None

    def establish_connection(self) -> Any:
        """Connect; raise when the server does not answer."""
        client: Any = self._get_pgmq_client()
        with client.pool.connection():
            return virtual.Transport.establish_connection(self)

    def close_connection(self, connection: Any) -> None:
        """Close the channels and end the session, however the first goes."""
        try:
            super().close_connection(connection)
        finally:
            if self._pool is not None:
                self._pool.close()

    def _create_pgmq_client(self) -> PGMQueue:
        connection: Any = self.client
        options = connection.transport_options
        self._pool = ConnectionPool(
            options["conn_string"],
            min_size=1,
            max_size=1,
            max_lifetime=math.inf,
            timeout=CONNECT_SECONDS,
            kwargs={"connect_timeout": CONNECT_SECONDS, **KEEPALIVE},
            open=True,
        )
        return PGMQueue(pool=self._pool, vt=options["visibility_timeout"], init_extension=False)

    def verify_connection(self, connection: Any) -> bool:
        """Return ``True``: the next statement will tell."""
        return True


class PgmqBroker(Broker):
    """kombu's PGMQ transport; what the transport lacks for us goes through its client."""

    def _connection(self) -> Connection:
        options = {
            # By parts the client would prefer a DATABASE_URL in the environment.
            "conn_string": postgresql_url(self._url),
            "init_extension": False,
            "visibility_timeout": VISIBILITY_SECONDS,
            "wait_time_seconds": 0,
            "polling_interval": POLL_SECONDS,
            "use_notify": True,
            "notify_throttle_interval_ms": 0,
        }
        return Connection(self._url, transport=Transport, transport_options=options)

    def declare(self, connection: Connection, service: str, types: Collection[str], retired: Collection[str]) -> None:
        """Make the queues through the client.

        kombu remembers for the whole process what it has bound once and would not bind a queue again that
        somebody deleted. A queue that is there is left alone: to create it again locks it against its users.
        """
        channel: Any = connection.default_channel
        queue = channel.canonical_queue_name(self.queue_name(service))
        with channel.pgmq.pool.connection() as session:
            for name in (self.queue_name(service), self.dead_name(service)):
                self._create(channel, session, name)
            for type_ in types:
                channel.pgmq.bind_topic(self._topic(channel, type_), queue, conn=session)
            for type_ in retired:
                channel.pgmq.unbind_topic(self._topic(channel, type_), queue, conn=session)

    def declare_dead(self, connection: Connection, service: str) -> None:
        """Make it through the client."""
        channel: Any = connection.default_channel
        with channel.pgmq.pool.connection() as session:
            self._create(channel, session, self.dead_name(service))

    def lead(self, connection: Connection, service: str) -> bool:
        """Take the lock on the queue's consumption, and bring to light what the one before had hidden."""
        channel: Any = connection.default_channel
        name = channel.canonical_queue_name(self.queue_name(service))
        with channel.pgmq.pool.connection() as session:
            leads = bool(session.execute(_LOCK_CONSUMER, [name]).fetchone() == (True,))
            if leads:
                session.execute(_show_all(name))
        return leads

    def exists(self, connection: Connection, service: str) -> bool:
        """Look it up."""
        channel: Any = connection.default_channel
        with channel.pgmq.pool.connection() as session:
            return _is_there(session, channel.canonical_queue_name(self.queue_name(service)))

    def _create(self, channel: Any, session: psycopg.Connection, queue: str) -> None:
        name = channel.canonical_queue_name(queue)
        if not _is_there(session, name):
            channel.pgmq.create_queue(name, conn=session)
            session.commit()

    def _topic(self, channel: Any, type_: str) -> str:
        return str(channel._topic_key(self.exchange.name, type_))

    def bury(self, message: Any, service: str, reason: str) -> None:
        """Move the message in one transaction."""
        info = message.delivery_info
        letter = message.serializable()
        letter["headers"] |= obituary(reason)
        client = message.channel.pgmq
        with client.pool.connection() as session, session.transaction():
            client.send(message.channel.canonical_queue_name(self.dead_name(service)), letter, conn=session)
            client.delete(info["pgmq_queue"], info["pgmq_msg_id"], conn=session)
        message.ack()

    def position(self, message: Message) -> int:
        """Return the message's number: one read does not answer in order."""
        return int(message.delivery_info["pgmq_msg_id"])

    def exhausted(self, message: Message) -> bool:
        """Whether the message was read more often than the limit: PGMQ keeps none."""
        return int(message.delivery_info["pgmq_message"]["read_ct"]) > DELIVERY_LIMIT

    def redelivered(self, message: Message) -> bool:
        """Whether the message was read before."""
        return int(message.delivery_info["pgmq_message"]["read_ct"]) > 1

    def depths(self, connection: Connection, service: str) -> tuple[int, int]:
        """Count, up to a number beyond which it no longer matters; what a consumer holds is among those that wait."""
        channel: Any = connection.default_channel
        names = (channel.canonical_queue_name(name) for name in (self.queue_name(service), self.dead_name(service)))
        with channel.pgmq.pool.connection() as session:
            waiting, dead = (session.execute(_count_of(name)).fetchone()[0] for name in names)
        return waiting, dead

    @contextmanager
    def tap(self, connection: Connection, pattern: str) -> Iterator[Queue]:
        """The queue is dropped at the end; what a killed process has left behind is dropped by the next one."""
        channel: Any = connection.default_channel
        prefix = channel.canonical_queue_name(f"{self.exchange.name}.tap.")
        name = prefix + uuid.uuid4().hex[:12]
        with psycopg.connect(postgresql_url(self._url), autocommit=True) as session:
            _drop_abandoned(session, prefix)
            session.execute(_LOCK_TAP, [name])
            session.execute("SELECT pgmq.create_unlogged(%s)", [name])
            try:
                session.execute("SELECT pgmq.bind_topic(%s, %s)", [self._topic(channel, pattern), name])
                yield Queue(name, no_declare=True)
            finally:
                session.execute("SELECT pgmq.drop_queue(%s)", [name])

    def keep(self, message: Message) -> None:
        """Keep the message hidden from other readers for another while."""
        info = message.delivery_info
        message.channel.pgmq.set_vt(info["pgmq_queue"], info["pgmq_msg_id"], VISIBILITY_SECONDS)

    def beat(self, connection: Connection) -> None:
        """Do nothing: PostgreSQL connections need no heartbeat."""


_LOCK_TAP: LiteralString = "SELECT pg_try_advisory_lock(hashtext('tap'), hashtext(%s))"
_LOCK_CONSUMER: LiteralString = "SELECT pg_try_advisory_lock(hashtext('consumer'), hashtext(%s))"


def _drop_abandoned(session: psycopg.Connection, prefix: str) -> None:
    """Drop queues of taps whose process, and with it the lock on the queue's name, is gone."""
    names = session.execute("SELECT queue_name FROM pgmq.meta WHERE starts_with(queue_name, %s)", [prefix]).fetchall()
    for (name,) in names:
        if session.execute(_LOCK_TAP, [name]).fetchone() == (True,):
            session.execute("SELECT pgmq.drop_queue(%s)", [name])


def _is_there(session: psycopg.Connection, queue: str) -> bool:
    return session.execute("SELECT 1 FROM pgmq.meta WHERE queue_name = %s", [queue]).fetchone() is not None


def _show_all(queue: str) -> sql.Composed:
    table = sql.Identifier("pgmq", f"q_{queue}")
    return sql.SQL("UPDATE {} SET vt = clock_timestamp() WHERE vt > clock_timestamp()").format(table)


def _count_of(queue: str) -> sql.Composed:
    table = sql.Identifier("pgmq", f"q_{queue}")
    return sql.SQL("SELECT count(*) FROM (SELECT 1 FROM {} LIMIT 100000) AS waiting").format(table)


def postgresql_url(url: str) -> str:
    """Return the database URL of a ``pgmq://`` URL."""
    return "postgresql" + url.removeprefix("pgmq")


def ensure_pgmq(dsn: str) -> None:
    """Install PGMQ's tables and functions in a database, if they are not there; needs no extension on the server.

    ``dsn`` is a ``pgmq://`` or ``postgresql://`` URL.
    """
    with psycopg.connect(postgresql_url(dsn) if dsn.startswith("pgmq:") else dsn) as session:
        session.execute("SELECT pg_advisory_xact_lock(%s)", [ADVISORY_LOCK])
        if session.execute("SELECT to_regclass('pgmq.meta') IS NULL").fetchone() == (True,):
            install_pgmq_from_sql(conn=session)
