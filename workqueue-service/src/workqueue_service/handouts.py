"""What a worker gets: jobs, sites, credentials of the moment, and a token for each element (spec: workqueue 5.1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg.rows import DictRow

from chassis.database import Transaction
from workqueue_service import options, serializer, sessions
from workqueue_service.elements import Claim
from workqueue_service.enums import JobProtocol, JobType
from workqueue_service.statements import sites as sites_sql
from workqueue_service.tokens import ElementTokens, HandOut
from workqueue_service.vault import Vault

Secrets = Mapping[tuple[int, int], Mapping[str, Any]]


@dataclass(frozen=True)
class Writer:
    """Writes claims for workers; ``extended`` is for those that are no PDM workers."""

    vault: Vault
    tokens: ElementTokens
    extended: bool

    def write(self, tx: Transaction, claim: Claim) -> list[dict[str, Any]]:
        """Return the answer to a request for work."""
        site_ids = {row[side] for row in claim.jobs for side in ("src_siteid", "dst_siteid") if row[side] is not None}
        users = {row["user_id"] for row in claim.jobs}
        sites = {row["id"]: row for row in tx.all(sites_sql.sites_by_id, {"ids": list(site_ids)})}
        secrets = sessions.credentials(tx, self.vault, site_ids, users)
        return [self._job(row, claim, sites, secrets) for row in claim.jobs]

    def _job(self, row: DictRow, claim: Claim, sites: Mapping[int, DictRow], secrets: Secrets) -> dict[str, Any]:
        def proxy(site_id: int | None) -> str:
            found = secrets.get((site_id, row["user_id"])) if site_id is not None else None
            return str(found.get("proxy", "")) if found else ""

        written = serializer.worker_job(row, proxy)
        written["elements"] = [self._element(each) for each in claim.elements[row["id"]]]
        if self.extended:
            written["options"] = options.carried_out(row["extra_opts"], JobType(row["type"]))
            for side, site_id in (("src_site", row["src_siteid"]), ("dst_site", _destination(row))):
                site = sites.get(site_id) if site_id is not None else None
                is_dummy = row["protocol"] == JobProtocol.DUMMY
                written[side] = None if site is None or is_dummy else _site(site, row["user_id"], secrets)
        return written

    def _element(self, row: DictRow) -> dict[str, Any]:
        token = self.tokens.issue(HandOut(row["job_id"], row["id"], row["lease"]))
        return serializer.worker_element(row, token)


def _destination(row: DictRow) -> int | None:
    """Return where a job writes by another way than its source; what LIST, REMOVE and MKDIR were sent means nothing."""
    site_id: int | None = row["dst_siteid"] if row["type"] in (JobType.COPY, JobType.RENAME) else None
    return site_id


def _site(site: DictRow, user_id: int, secrets: Secrets) -> dict[str, Any]:
    return {
        **{name: site[name] for name in ("id", "name", "transport", "endpoints", "bandwidth", "max_transfers")},
        "home": site["home"] and site["home"].replace("{user}", str(user_id)),
        "credentials": secrets.get((site["id"], user_id)),
    }
