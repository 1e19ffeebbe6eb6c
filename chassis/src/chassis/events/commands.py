"""Commands from service to service: sent until answered, carried out once (DESIGN 5).

Who carries them out::

    handlers = Handlers()
    commands = Commands("poller", handlers)

    @commands.on("poller.job.submit", result=["job_id"])
    def submit(tx: Transaction, event: Event) -> dict[str, object]:
        return {"job_id": jobs.create(tx, event.data["user"], event.data["config"]).job_id}

The function has its effect through ``tx`` and returns the fields of ``result``. To refuse the command it raises an
:class:`chassis.errors.ApiError` below 500, whose message is the reason; what it had done by then is undone.
Either way ``poller.command.answered`` with the data ``{command_id, ok, ...result, reason}`` (when refused, ``result``
is null) leaves in the same transaction. A command that comes again, in a new event with the same ``command_id``, has
no second effect and gets the first answer again. Any other error is one of every handler: the event is tried again.

Who wants something done::

    command_id = commands.send(tx, "poller.job.submit", "schedule/7", {"principal": ..., ...}, service="scheduler")

    @handlers.on("poller.command.answered")
    def answered(tx: Transaction, event: Event) -> None:
        if commands.settle(tx, event):      # ours, and the first answer to it
            ...

Who has many makes each with :meth:`Command.new`, which refuses what cannot be sent, then calls :func:`send_many`.

The command leaves when ``tx`` commits. Every worker process sends those again that nobody has answered, first after
30 s, then ever more rarely. :data:`answered_command` rows are kept for 30 days by the worker's housekeeping.
"""

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import orjson
import structlog

from chassis.database import Database, Transaction
from chassis.errors import ApiError
from chassis.events.envelope import Event
from chassis.events.handlers import Handlers
from chassis.events.outbox import publish, store
from chassis.queries import Queries

sql = Queries.beside(__file__)

FIRST_REPEAT_SECONDS = 30
LONGEST_REPEAT_SECONDS = 3600
KEPT_DAYS = 30
PIECE = 100

CommandHandler = Callable[[Transaction, Event], Mapping[str, Any]]


class Commands:
    """The commands that one service carries out and answers."""

    def __init__(self, service: str, handlers: Handlers) -> None:
        self._answered = f"{service}.command.answered"
        self._handlers = handlers

    def on(self, type_: str, *, result: Collection[str] = ()) -> Callable[[CommandHandler], CommandHandler]:
        """Register the decorated function for commands of ``type_``; ``result``: the fields it returns."""

        def register(handler: CommandHandler) -> CommandHandler:
            @self._handlers.on(type_)
            def handle(tx: Transaction, event: Event) -> None:
                self._handle(tx, event, handler, result)

            return handler

        return register

    def _handle(self, tx: Transaction, event: Event, handler: CommandHandler, result: Collection[str]) -> None:
        command_id = id_of(event)
        if tx.execute(sql.accept_command, {"id": command_id}):
            answer = {"command_id": command_id, **_carry_out(tx, event, handler, result)}
            tx.execute(sql.keep_answer, {"id": command_id, "answer": orjson.dumps(answer).decode()})
        else:
            answer = orjson.loads(tx.value(sql.answer_to_command, {"id": command_id}))
        publish(tx, self._answered, f"command/{command_id}", answer)


@dataclass(frozen=True)
class Command:
    """A command that keeps its contract, to be sent; each is the beginning of a trace of its own, if there is none."""

    id: str
    service: str
    event: Event
    envelope: bytes

    @classmethod
    def new(cls, type_: str, subject: str, data: Mapping[str, Any], *, service: str) -> Self:
        """Make a command of ``service``; raise :class:`chassis.events.InvalidEvent`."""
        command_id = str(data.get("command_id") or uuid.uuid4())
        event = Event.new(type_, subject, {**data, "command_id": command_id}, service=service)
        return cls(command_id, service, event, event.dump())

    def row(self) -> dict[str, str | None]:
        """Return what is remembered of it until it is answered."""
        return {
            "id": self.id,
            "type": self.event.type,
            "subject": self.event.subject,
            "service": self.service,
            "data": orjson.dumps(self.event.data).decode(),
            "traceparent": self.event.traceparent,
        }


def id_of(event: Event) -> str:
    """Return the command's id: its ``command_id``, or the event's own id when it has none."""
    return str(uuid.UUID(event.data.get("command_id") or str(event.id)))


def send(tx: Transaction, type_: str, subject: str, data: Mapping[str, Any], *, service: str) -> str:
    """Send a command as ``service`` when the transaction commits, and again until it is answered; return its id.

    Without a ``command_id`` in ``data`` it gets a new one.
    Raises :class:`chassis.events.InvalidEvent` when the data break ``contracts/events/<type>.json``.
    """
    command = Command.new(type_, subject, data, service=service)
    send_many(tx, [command])
    return command.id


def send_many(tx: Transaction, commands: Sequence[Command]) -> None:
    """Send commands like :func:`send`, in this order; those of one type that follow each other by one statement."""
    if commands:
        rows = [command.row() for command in commands]
        store(tx, [(command.event.type, command.envelope) for command in commands])
        tx.execute(sql.remember_commands, {"commands": orjson.dumps(rows).decode(), "seconds": FIRST_REPEAT_SECONDS})


def settle(tx: Transaction, answer: Event) -> bool:
    """Stop to repeat the command that ``answer`` answers; ``False`` when it is not ours or was answered before."""
    return tx.execute(sql.forget_command, {"id": answer.data["command_id"]}) == 1


def repeat_unanswered(database: Database) -> int:
    """Send again what was not answered in time, each time after twice the wait; return how many."""
    with database.transaction() as tx:
        limits = {"first": FIRST_REPEAT_SECONDS, "longest": LONGEST_REPEAT_SECONDS, "limit": PIECE}
        rows = tx.all(sql.due_commands, limits)
        for row in rows:
            with structlog.contextvars.bound_contextvars(traceparent=row["traceparent"]):
                publish(tx, row["type"], row["subject"], orjson.loads(row["data"]), service=row["service"])
    return len(rows)


def prune(database: Database, days: int = KEPT_DAYS) -> int:
    """Forget answers that are older than ``days``, and return how many; a repetition later than that has its effect."""
    return database.execute(sql.prune_answers, {"days": days})


def _carry_out(tx: Transaction, event: Event, handler: CommandHandler, result: Collection[str]) -> dict[str, Any]:
    try:
        with tx.connection.transaction():
            return {"ok": True, **handler(tx, event), "reason": None}
    except ApiError as refusal:
        if refusal.status >= 500:
            raise
        return {"ok": False, **dict.fromkeys(result), "reason": refusal.message}
