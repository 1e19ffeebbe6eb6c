"""What becomes of executions whose holder is lost (spec: scheduler 4.4, rule 8)."""

from collections.abc import Sequence
from dataclasses import dataclass

from chassis.database import Database, Transaction
from scheduler_service import executions
from scheduler_service.executions import Execution, sql

PIECE = 200


@dataclass(frozen=True)
class Loss:
    """A lost execution is begun again at most ``retries`` times, then ended.

    ``patience``: seconds until one that is begun again must have been taken.
    """

    retries: int = 0
    patience: float = 3600.0

    def parameters(self) -> dict[str, object]:
        """Return the parameters of a query."""
        lost = executions.result(executions.LOST)
        return {"retries": self.retries, "patience": self.patience, "result": lost}


def expire(database: Database, loss: Loss) -> int:
    """End what nobody holds any more, or have it begun again, also what has waited for a retry; return how many."""
    with database.transaction() as tx:
        rows = tx.all(sql.expire_leases, {**loss.parameters(), "limit": PIECE})
        _tell(tx, rows)
    return len(rows)


def hand_back(database: Database, execution_id: str, token: object, loss: Loss) -> None:
    """Give up an execution that is held by ``token``, as if its holder had died."""
    with database.transaction() as tx:
        _tell(tx, tx.all(sql.hand_back, {**loss.parameters(), "id": execution_id, "token": token}))


def _tell(tx: Transaction, rows: Sequence[Execution]) -> None:
    ended = [row for row in rows if row["status"] != "running"]
    executions.told_ends(tx, ended)
    if any(row["stage"] == "ready" for row in rows):
        tx.execute(sql.ring_runners, {"channel": executions.READY})
