"""Rate limits of projects (spec: tracker 6); claims and submissions decide on the buckets in the database."""

from chassis.database import Transaction
from chassis.queries import Queries

sql = Queries.beside(__file__, "tasks.sql")


def reset(tx: Transaction, project_id: int) -> None:
    """Let both buckets of a project start full again."""
    tx.execute(sql.reset_buckets, {"project": project_id})
