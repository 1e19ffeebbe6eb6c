"""How far the broker is behind the database."""

from chassis.database import Database
from chassis.errors import Unavailable
from chassis.health import Check
from chassis.queries import Queries

sql = Queries.beside(__file__)


def backlog(database: Database) -> tuple[int, float]:
    """Return how many events wait for the broker (counted up to 100,000) and the seconds that the oldest waits."""
    row = database.one(sql.backlog)
    return (row["depth"], row["seconds"]) if row else (0, 0.0)


def unanswered(database: Database) -> int:
    """Return how many commands were sent and not answered yet."""
    return int(database.value(sql.unanswered_commands))


def broker_lag(database: Database) -> float:
    """Return the seconds that the oldest unsent event has waited, 0 when there is none."""
    return backlog(database)[1]


def broker_check(database: Database, limit: float = 60.0) -> Check:
    """Return a check that no event has waited for the broker longer than ``limit`` seconds."""

    def check() -> str | None:
        try:
            lag = broker_lag(database)
        except Unavailable:
            return "the database does not answer"
        return f"events wait for the broker since {lag:.0f} s" if lag > limit else None

    return check
