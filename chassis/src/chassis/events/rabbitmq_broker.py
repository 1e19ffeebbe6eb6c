"""RabbitMQ: quorum queues, publisher confirms, heartbeats, dead-lettering by the broker as the last resort."""

# kombu has no type hints.
# mypy: disallow-untyped-calls=False

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress

from amqp.exceptions import NotFound
from kombu.connection import Connection
from kombu.entity import Queue
from kombu.message import Message
from kombu.messaging import Producer

from chassis.events.broker import CONNECT_SECONDS, DELIVERY_LIMIT, Broker, obituary

HEARTBEAT_SECONDS = 20
# Newer servers drop what was looked at 20 times from a queue without a limit of its own.
NEVER = 2**31 - 1
TAPPED = 10_000


class RabbitBroker(Broker):
    """A RabbitMQ server of version 3.10 or later."""

    def _connection(self) -> Connection:
        return Connection(
            self._url,
            heartbeat=HEARTBEAT_SECONDS,
            connect_timeout=CONNECT_SECONDS,
            transport_options={"confirm_publish": True, "max_retries": 0},
        )

    def declare(self, connection: Connection, service: str, types: Collection[str], retired: Collection[str]) -> None:
        """Declare both queues; the broker itself moves over what passes the delivery limit."""
        channel = connection.default_channel
        self.exchange(channel).declare()
        self.declare_dead(connection, service)
        living = {
            "x-queue-type": "quorum",
            # The order of a subject holds between several workers of a service as well.
            "x-single-active-consumer": True,
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": self.dead_name(service),
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        }
        queue = Queue(self.queue_name(service), queue_arguments=living, channel=channel)
        queue.queue_declare()
        for type_ in types:
            queue.bind_to(self.exchange, routing_key=type_)
        for type_ in retired:
            queue.unbind_from(self.exchange, routing_key=type_)

    def declare_dead(self, connection: Connection, service: str) -> None:
        """Declare it as a quorum queue."""
        arguments = {"x-queue-type": "quorum", "x-delivery-limit": NEVER}
        Queue(self.dead_name(service), queue_arguments=arguments, channel=connection.default_channel).queue_declare()

    def lead(self, connection: Connection, service: str) -> bool:
        """Return ``True``: everybody may subscribe, the broker serves one of them."""
        return True

    def exists(self, connection: Connection, service: str) -> bool:
        """Ask the broker, which closes the channel when the answer is no."""
        try:
            connection.channel().queue_declare(self.queue_name(service), passive=True)
        except NotFound:
            return False
        return True

    def bury(self, message: Message, service: str, reason: str) -> None:
        """Send a copy to the dead letters, then acknowledge; in between a crash can leave both."""
        producer = Producer(message.channel.connection.client.default_channel, auto_declare=False)
        self.send(producer, self.dead_name(service), message.body, direct=True, **obituary(reason))
        message.ack()

    def position(self, message: Message) -> int:
        """Return the delivery tag."""
        return int(message.delivery_tag)

    def exhausted(self, message: Message) -> bool:
        """Return ``False``: the broker keeps the limit."""
        return False

    def redelivered(self, message: Message) -> bool:
        """Return what the broker says."""
        return bool(message.delivery_info["redelivered"])

    def depths(self, connection: Connection, service: str) -> tuple[int, int]:
        """Ask the broker; deliveries that a consumer holds are not among those that wait."""
        channel = connection.default_channel
        names = self.queue_name(service), self.dead_name(service)
        waiting, dead = (channel.queue_declare(name, passive=True).message_count for name in names)
        return waiting, dead

    @contextmanager
    def tap(self, connection: Connection, pattern: str) -> Iterator[Queue]:
        """The queue ends with the connection; who is too slow misses the oldest."""
        channel = connection.default_channel
        self.exchange(channel).declare()
        limit = {"x-max-length": TAPPED}
        queue = Queue("", exclusive=True, auto_delete=True, durable=False, queue_arguments=limit, channel=channel)
        queue.queue_declare()
        queue.bind_to(self.exchange, routing_key=pattern)
        yield queue

    def keep(self, message: Message) -> None:
        """Do nothing: the delivery is ours as long as the connection lives."""

    def beat(self, connection: Connection) -> None:
        """Read what arrived and send a heartbeat when one is due."""
        with suppress(TimeoutError):
            connection.drain_events(timeout=0.001)
        connection.heartbeat_check()
