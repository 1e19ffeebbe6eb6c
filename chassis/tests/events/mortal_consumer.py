"""A consumer in a process of its own, which is killed between an effect and its acknowledgement.

Arguments: database, broker, exchange, and the version at whose event it dies.
"""

import os
import signal
import sys
import threading
from typing import Any

from chassis.database import Database
from chassis.events import Event, EventLoop, Handlers


def main() -> None:
    """Receive until death."""
    dsn, url, exchange, last = sys.argv[1:]
    handlers = Handlers()

    @handlers.on("auth.worker.updated")
    def note(tx: Any, event: Event) -> Any:
        tx.execute(
            "INSERT INTO effect (event, subject, data) VALUES (%s, %s, jsonb_build_object('version', %s::int))",
            [event.id, event.subject, event.data["version"]],
        )
        if event.data["version"] == int(last):
            return lambda: os.kill(os.getpid(), signal.SIGKILL)
        return None

    with Database(dsn, name="mortal") as database:
        EventLoop(database, url, "tracker", handlers, exchange=exchange).start()
        threading.Event().wait()


if __name__ == "__main__":
    main()
