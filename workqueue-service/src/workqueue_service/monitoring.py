"""Progress that workers report, which is also their sign of life (spec: workqueue 5.3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import orjson

from chassis.database import Transaction
from workqueue_service import fields
from workqueue_service.statements import elements as sql
from workqueue_service.statements import jobs as jobs_sql
from workqueue_service.tokens import HandOut

NUMBERS = ("transferred", "elapsed", "instant", "average")


@dataclass(frozen=True)
class Progress:
    """Bytes, seconds and bytes per second of one element; ``None`` for a sign of life alone."""

    hand_out: HandOut
    numbers: dict[str, Any] | None

    @classmethod
    def read(cls, hand_out: HandOut, body: Mapping[str, Any], *, alive_is_enough: bool = False) -> Self:
        """Check the body of a report; 400 when it is wrong."""
        if alive_is_enough and not any(name in body for name in NUMBERS):
            return cls(hand_out, None)
        fields.require(body, NUMBERS)
        numbers = {name: body[name] for name in NUMBERS}
        if not all(isinstance(each, int | float) and not isinstance(each, bool) for each in numbers.values()):
            raise fields.refuse(f"{', '.join(NUMBERS)} must be numbers")
        return cls(hand_out, {"id": f"{hand_out.job_id}.{hand_out.element_id}", **numbers})


def record(tx: Transaction, reports: Sequence[Progress]) -> list[float | None]:
    """Store progress and extend leases; return for each the seconds of its lease, ``None`` when that has ended."""
    columns = _ids(reports)
    sizes = {(row["job_id"], row["id"]): row["size"] for row in tx.all(sql.sizes_of_elements, columns)}
    monitoring = [_stored(each, sizes.get((each.hand_out.job_id, each.hand_out.element_id), 0)) for each in reports]
    leases = [each.hand_out.lease for each in reports]
    rows = tx.all(sql.record_progress, {**columns, "leases": leases, "monitoring": monitoring})
    for job_id in sorted({row["job_id"] for row in rows}):
        tx.execute(jobs_sql.tell_watchers, {"job_id": job_id})
    alive = {(row["job_id"], row["id"]): row["lease_seconds"] for row in rows}
    return [alive.get((each.hand_out.job_id, each.hand_out.element_id)) for each in reports]


def exists(tx: Transaction, hand_out: HandOut) -> bool:
    """Return whether the element is still there."""
    return bool(tx.all(sql.sizes_of_elements, {"job_ids": [hand_out.job_id], "element_ids": [hand_out.element_id]}))


def _stored(report: Progress, size: int) -> str | None:
    if report.numbers is None:
        return None
    numbers = dict(report.numbers)
    if numbers["transferred"] == -1:
        elapsed = numbers["elapsed"]
        numbers.update(transferred=size, average=size / elapsed if elapsed > 0 else 0)
    return orjson.dumps(numbers).decode()


def _ids(reports: Sequence[Progress]) -> dict[str, list[int]]:
    return {
        "job_ids": [each.hand_out.job_id for each in reports],
        "element_ids": [each.hand_out.element_id for each in reports],
    }
