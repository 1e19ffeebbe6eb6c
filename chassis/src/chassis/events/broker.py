"""The broker behind a URL: names, connections and the few things that brokers do differently."""

# kombu has no type hints.
# mypy: disallow-untyped-calls=False

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from kombu.connection import Connection
from kombu.entity import Exchange, Queue
from kombu.message import Message
from kombu.messaging import Consumer, Producer

from chassis.events.envelope import CONTENT_TYPE

EXCHANGE = "taskyard"
CONNECT_SECONDS = 5
CONFIRM_SECONDS = 10
# Only for messages that end the process each time: what a handler raises is counted by the consumer.
DELIVERY_LIMIT = 50
DURABLE = 2


class Broker(ABC):
    """One exchange, and for each service a queue ``<exchange>.<service>`` and a queue of its dead letters."""

    def __init__(self, url: str, exchange: str = EXCHANGE) -> None:
        self._url = url
        self.exchange = Exchange(exchange, type="topic", durable=True)

    def queue_name(self, service: str) -> str:
        """Return the name of a service's queue."""
        return f"{self.exchange.name}.{service}"

    def dead_name(self, service: str) -> str:
        """Return the name of a service's queue of dead letters."""
        return f"{self.queue_name(service)}.dead"

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """Open a connection; after an error it is dropped without a word to a peer that may be gone."""
        connection = self._connection()
        try:
            connection.connect()
            yield connection
        except BaseException:
            connection.collect(socket_timeout=1)
            raise
        connection.release()

    def producer(self, connection: Connection) -> Producer:
        """Return a sender to the exchange, which exists then."""
        producer = Producer(connection.channel(), auto_declare=False)
        self.exchange(producer.channel).declare()
        return producer

    def send(self, producer: Producer, routing_key: str, body: str, *, direct: bool = False, **headers: str) -> None:
        """Send one envelope and return when the broker has it, or raise.

        It goes to every queue bound to ``routing_key``, which may be none; ``direct``: to the queue of that name,
        which must be there.
        """
        producer.publish(
            body,
            exchange="" if direct else self.exchange.name,
            routing_key=routing_key,
            mandatory=direct,
            content_type=CONTENT_TYPE,
            content_encoding="utf-8",
            delivery_mode=DURABLE,
            headers=headers,
            retry=False,
            timeout=CONFIRM_SECONDS,
            confirm_timeout=CONFIRM_SECONDS,
        )

    def consumer(self, connection: Connection, service: str, prefetch: int, on_message: Any) -> Consumer:
        """Return a receiver of a service's queue, which must be declared."""
        queue = Queue(self.queue_name(service), no_declare=True)
        channel = connection.channel()
        return Consumer(channel, [queue], on_message=on_message, prefetch_count=prefetch, auto_declare=False)

    @abstractmethod
    def declare(self, connection: Connection, service: str, types: Collection[str], retired: Collection[str]) -> None:
        """Make the service's two queues if they are not there and bind the first to ``types``, not to ``retired``."""

    @abstractmethod
    def lead(self, connection: Connection, service: str) -> bool:
        """Whether deliveries may be taken over this connection: of all consumers of a service one has its turn.

        Who has it keeps it until the connection ends, and gets first, in order, what the one before left behind.
        """

    @abstractmethod
    def declare_dead(self, connection: Connection, service: str) -> None:
        """Make the queue of the service's dead letters if it is not there."""

    @abstractmethod
    def exists(self, connection: Connection, service: str) -> bool:
        """Whether the service has its queue."""

    @abstractmethod
    def bury(self, message: Message, service: str, reason: str) -> None:
        """Move a delivery to the dead letters."""

    @abstractmethod
    def position(self, message: Message) -> int:
        """Return a number that is higher for deliveries that are later in the queue."""

    @abstractmethod
    def exhausted(self, message: Message) -> bool:
        """Whether the delivery was attempted so often that the broker would have put it aside if it could."""

    @abstractmethod
    def redelivered(self, message: Message) -> bool:
        """Whether the delivery was attempted before."""

    @abstractmethod
    def depths(self, connection: Connection, service: str) -> tuple[int, int]:
        """Return how many deliveries wait in the service's queue, and how many dead letters it has."""

    @abstractmethod
    def tap(self, connection: Connection, pattern: str) -> AbstractContextManager[Queue]:
        """Make a queue that gets a copy of what is sent with a routing key like ``pattern``, while the block runs."""

    @abstractmethod
    def keep(self, message: Message) -> None:
        """Tell the broker that the delivery is still being worked on."""

    @abstractmethod
    def beat(self, connection: Connection) -> None:
        """Tell the broker that we are alive and notice when it is not; call it every second or so."""

    @abstractmethod
    def _connection(self) -> Connection:
        """Return a connection that is not open yet."""


def obituary(reason: str) -> dict[str, str]:
    """Return the headers that a dead letter bears."""
    return {"reason": reason, "died_at": datetime.now(UTC).isoformat(timespec="seconds")}


def open_broker(url: str, exchange: str = EXCHANGE) -> Broker:
    """Return the broker of an ``amqp://``, ``amqps://`` or ``pgmq://`` URL; it connects when it is used."""
    from chassis.events.pgmq_broker import PgmqBroker
    from chassis.events.rabbitmq_broker import RabbitBroker

    kinds: dict[str, type[Broker]] = {"amqp": RabbitBroker, "amqps": RabbitBroker, "pgmq": PgmqBroker}
    scheme = urlsplit(url).scheme
    if scheme not in kinds:
        raise ValueError("a broker URL begins with amqp://, amqps:// or pgmq://")
    return kinds[scheme](url, exchange)
