"""Answers when something is broken (spec: poller 3)."""

from typing import Any

import pytest

from chassis.database import Database
from chassis.identity import Identity
from chassis.testing.contract_client import ContractClient
from chassis.testing.identity import KnownPrincipals
from poller_service import jobs
from poller_service.app import make_app
from poller_service.container import assemble
from poller_service.settings import PollerSettings

SECRET = "SELECT secret FROM vault"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_database_the_client_is_told_to_come_back(
    settings: PollerSettings, known: KnownPrincipals, method: str
) -> None:
    with Database("postgresql://nobody@127.0.0.1:1/none", name="test", timeout=0.2) as database:
        app = make_app(assemble(settings, database, Identity(known, known, session_cookie="tt")))
        app.test_client_class = ContractClient
        parameters = {"request": "next"} if method == "GET" else {"request": "next", "claim": "1"}
        sent: dict[str, Any] = {"query_string" if method == "GET" else "data": parameters}
        response = app.test_client().open("/poller/update/", method=method, **sent)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"
    assert response.json == {"error": "database is not available, try again"}


def test_a_fault_tells_nothing_of_its_cause(poller: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(jobs, "oldest_new", break_down)
    assert poller.get(request="next") == (500, {"error": "Internal server error"})


def test_a_failure_after_the_change_undoes_it(poller: Any, sent: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Change and event stand or fall together (DESIGN 5)."""
    job_id = poller.create()

    def break_down(*_: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr("poller_service.events.status_changed", break_down)
    for parameters in (
        {"request": "complete", "job_id": job_id},
        {"request": "all", "status": "failed"},
        {"request": "next", "claim": 1},
    ):
        assert poller.post(**parameters)[0] == 500
    assert poller.job(job_id)["status"] == "new"
    assert len(sent()) == 1
