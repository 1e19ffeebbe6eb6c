"""What accounts may do on projects (spec: tracker 2.3)."""

from enum import IntFlag

from chassis.database import Database, Transaction
from chassis.identity import Principal
from chassis.queries import Queries

sql = Queries.beside(__file__)


class Role(IntFlag):
    """Independent bits: EDIT does not imply READ."""

    READ = 1
    EDIT = 2
    MANAGE_ACCESS = 4
    SECRET = 8
    MAINTENANCE = 16


NONE = Role(0)
ALL = Role(31)


def role_on(db: Database | Transaction, account: Principal | None, project_id: int) -> Role:
    """Return the account's bits on a project as they are now; a tracker admin has all of them everywhere."""
    if account is None:
        return NONE
    if account.admin:
        return ALL
    return Role(db.value(sql.role_on, {"account": account.id, "project": project_id}) or 0)
