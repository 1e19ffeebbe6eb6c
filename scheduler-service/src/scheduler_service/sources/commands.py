"""Executions that another service carries out: sent as commands, ended by the answer (design 5, 11).

The id of the command is the id of the execution, so that one execution has one effect however often it is sent. A
retry after a failure is a command with an id of its own.
"""

from collections.abc import Callable, Mapping
from typing import Any

import structlog

from chassis.database import Database, Transaction
from chassis.errors import ApiError
from chassis.events import Event, Handlers, InvalidEvent
from chassis.events import commands as bus
from chassis.queries import Queries
from scheduler_service import executions
from scheduler_service.container import SERVICE
from scheduler_service.sources.work import Work

log = structlog.get_logger()
sql = Queries.beside(__file__, "sources.sql")

BATCH = 500
SHARE = 100
"""The most of one project in one batch."""

MOST = 500
"""The most unanswered commands of one project and source: the others let those of other projects go first."""

IDLE_SECONDS = 10.0
HELD_SECONDS = 0.2
"""How long to wait for answers when a project has its most."""

ANSWERS = ("poller.command.answered", "workqueue.command.answered", "tracker.command.answered")

handlers = Handlers()


def _poller(details: Mapping[str, Any]) -> dict[str, Any]:
    return {"user": details["user"], "config": details.get("config", {})}


def _transfer(details: Mapping[str, Any]) -> dict[str, Any]:
    return {"job": details}


def _task(details: Mapping[str, Any]) -> dict[str, Any]:
    return {"task": details}


COMMANDS: dict[str, tuple[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "poller": ("poller.job.submit", _poller),
    "transfer": ("workqueue.job.submit", _transfer),
    "task": ("tracker.task.submit", _task),
}


class Sender:
    """Sends the commands of executions that are ready; ``patience``: seconds until an unanswered one has failed."""

    def __init__(self, database: Database, patience: float) -> None:
        self._database = database
        self._patience = patience

    def turn(self) -> float:
        """Send what may be sent, and return the seconds until there may be more that nobody tells of."""
        while self.send():
            pass
        return HELD_SECONDS if self._database.value(sql.has_unsent, {"sources": list(COMMANDS)}) else IDLE_SECONDS

    def send(self) -> int:
        """Send a batch and return how many executions were taken; what cannot be sent ends, and stops no other."""
        with self._database.transaction() as tx:
            wanted = {"sources": list(COMMANDS), "limit": BATCH, "share": SHARE, "most": MOST}
            rows = tx.all(sql.take_for_sending, wanted | {"seconds": self._patience})
            made = []
            for row in rows:
                try:
                    made.append(_command(row))
                except (ApiError, InvalidEvent) as error:
                    executions.finish(tx, row["id"], "failed", executions.result(str(error), 0.0))
                except Exception as error:
                    # Without a traceback: what it holds may be nested without end.
                    log.error("command_not_made", execution_id=str(row["id"]), error=repr(error))  # noqa: TRY400
                    executions.finish(tx, row["id"], "error", executions.result(executions.LOST))
            bus.send_many(tx, sorted(made, key=lambda command: command.event.type))
        return len(rows)


def _command(row: Mapping[str, Any]) -> bus.Command:
    work = Work.of_row(row)
    type_, body = COMMANDS[work.code["source"]]
    details = {name: value for name, value in work.code.items() if name != "source"}
    principal = {"kind": row["owner_kind"], "id": row["owner_id"]}
    command_id = str(row["command_id"] or work.execution_id)
    data = {"command_id": command_id, "principal": principal, **body(details)}
    return bus.Command.new(type_, f"execution/{work.execution_id}", data, service=SERVICE)


def answered(tx: Transaction, event: Event) -> None:
    """End the execution whose command is answered; answers to others, and second ones, change nothing."""
    if not bus.settle(tx, event):
        return
    answer = event.data
    execution_id = tx.value(sql.execution_of_command, {"command_id": answer["command_id"]})
    output = {name: value for name, value in answer.items() if name not in ("command_id", "ok", "reason")}
    status, result = ("success", output) if answer["ok"] else ("failed", answer["reason"])
    duration = tx.value(sql.seconds_since, {"id": execution_id})
    if not executions.finish(tx, execution_id, status, executions.result(result, duration)):
        log.info("answer_after_the_end", command_id=answer["command_id"])


for type_ in ANSWERS:
    handlers.on(type_)(answered)
