"""Events between services: CloudEvents over RabbitMQ or PGMQ, an outbox on one side and an inbox on the other.

::

    publish(tx, ...) -> outbox -> Relay -> broker -> Consumer -> inbox + handler, in one transaction
"""

from chassis.events.envelope import Event, InvalidEvent
from chassis.events.handlers import Handlers
from chassis.events.health import broker_check, broker_lag
from chassis.events.outbox import publish, publish_many
from chassis.events.runner import EventLoop

__all__ = ["Event", "EventLoop", "Handlers", "InvalidEvent", "broker_check", "broker_lag", "publish", "publish_many"]
