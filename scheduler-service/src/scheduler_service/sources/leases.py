"""Leases on executions: taken project by project, renewed, handed back (spec: scheduler 4.4, rule 8)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from chassis.database import Database
from chassis.queries import Queries
from scheduler_service import executions
from scheduler_service.losses import Loss, hand_back
from scheduler_service.settings import SchedulerSettings
from scheduler_service.sources.hold import Hold

sql = Queries.beside(__file__, "sources.sql")

Row = dict[str, Any]


@dataclass(frozen=True)
class Leases:
    """How executions are held; ``seconds`` without a sign of life until a holder counts as dead."""

    database: Database
    seconds: float = 60.0
    loss: Loss = field(default_factory=Loss)

    @classmethod
    def of(cls, settings: SchedulerSettings, database: Database) -> Self:
        """Return how executions are held in this system."""
        loss = Loss(settings.scheduler_lost_retries, settings.scheduler_patience)
        return cls(database, settings.scheduler_lease, loss)

    def waiting(self, sources: Sequence[str]) -> list[str]:
        """Return the projects that have something to be carried out."""
        return [row["project_id"] for row in self.database.all(sql.waiting_projects, {"sources": list(sources)})]

    def take(self, sources: Collection[str], project: str) -> Row | None:
        """Take the oldest execution of a project."""
        wanted = {"sources": list(sources), "project": project, "seconds": self.seconds}
        return self.database.one(sql.take_one, wanted)

    def renew(self, holds: Mapping[str, Hold]) -> set[str]:
        """Renew, and return the executions that are still held: others were ended, removed or taken back."""
        if not holds:
            return set()
        tokens = [hold.token for hold in holds.values()]
        wanted = {"ids": list(holds), "tokens": tokens, "seconds": self.seconds}
        return {str(row["id"]) for row in self.database.all(executions.sql.renew_leases, wanted)}

    def hand_back(self, execution_id: str, token: Any) -> None:
        """Let another begin the execution again, or end it, as the policy says."""
        hand_back(self.database, execution_id, token, self.loss)
