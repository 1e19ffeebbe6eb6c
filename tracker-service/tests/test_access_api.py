"""Access of workers to projects (spec: tracker 2.4, 4.3)."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from chassis.database import Database
from chassis.identity import Kind, Principal
from chassis.testing.contract_client import ContractClient
from chassis.testing.identity import KnownPrincipals
from tracker_service.roles import Role

Headers = dict[str, str]
Make = Callable[..., Any]

EXISTS = "Project is public, you already have an active request or you already have access to this project"
NO_ACCESS = "Worker did not have access to this project"


def refusal(answer: Any) -> tuple[int, str]:
    assert answer.json["ok"] is False
    return answer.status_code, answer.json["message"]


def ask(client: ContractClient, project: int, headers: Headers, **flags: bool) -> Any:
    return client.post("/project/request_access", json={"project": project, **flags}, headers=headers)


def events(database: Database) -> list[tuple[str, dict[str, Any]]]:
    rows = database.all("SELECT type, envelope FROM outbox ORDER BY id")
    return [(row["type"], orjson.loads(row["envelope"])["data"]) for row in rows]


class TestRequest:
    """spec: tracker 4.3, POST /project/request_access"""

    @pytest.mark.parametrize("body", [b"", b"{", b'{"assign":1}', b'{"project":"1"}'])
    def test_a_body_that_cannot_be_parsed(self, client: ContractClient, body: bytes) -> None:
        """Row 1 comes before the worker check"""
        assert refusal(client.post("/project/request_access", data=body)) == (400, "Could not parse request")

    def test_asking_for_nothing(self, client: ContractClient) -> None:
        """Row 2 comes before the worker check"""
        assert refusal(client.post("/project/request_access", json={"project": 1})) == (400, "Invalid request")

    @pytest.mark.parametrize(
        ("headers", "text"),
        [
            ({}, "worker id not specified"),
            ({"X-Worker-ID": ""}, "worker id not specified"),
            ({"X-Worker-ID": "1"}, "secret is not specified"),
            ({"X-Worker-ID": "x", "X-Secret": "s"}, 'strconv.ParseInt: parsing "x": invalid syntax'),
            (
                {"X-Worker-ID": "9" * 19, "X-Secret": "s"},
                f'strconv.ParseInt: parsing "{"9" * 19}": value out of range',
            ),
            ({"X-Worker-ID": "404", "X-Secret": "s"}, "worker id does not match any valid worker"),
            ({"X-Worker-ID": "7", "X-Secret": "s"}, "invalid secret"),
        ],
    )
    def test_worker_check(self, client: ContractClient, known: KnownPrincipals, headers: Headers, text: str) -> None:
        """Row 3 with the texts of 2.1"""
        known.add_worker(7)
        assert refusal(ask(client, 1, headers, assign=True)) == (401, text)

    def test_managers_cannot_ask(self, client: ContractClient, admin: Headers) -> None:
        """spec: tracker 2.5"""
        assert refusal(ask(client, 1, admin, assign=True)) == (401, "worker id not specified")

    @pytest.mark.parametrize("pending", [True, False])
    def test_a_second_request(
        self, client: ContractClient, known: KnownPrincipals, make_project: Make, grant: Make, pending: bool
    ) -> None:
        """Row 4: one row per pair, pending or accepted"""
        project = make_project()
        grant(7, project, assign=True, pending=pending)
        assert refusal(ask(client, project, known.add_worker(7), submit=True)) == (400, EXISTS)

    @pytest.mark.parametrize("project", [0, -1, 404, 2**31, 2**63 - 1])
    def test_an_unknown_project(self, client: ContractClient, known: KnownPrincipals, project: int) -> None:
        """Row 4, Q-05, Q-56"""
        assert refusal(ask(client, project, known.add_worker(7), assign=True)) == (400, EXISTS)

    @pytest.mark.parametrize("visibility", ["public", "hidden", "paused"])
    def test_is_stored_as_pending(
        self,
        client: ContractClient,
        known: KnownPrincipals,
        make_project: Make,
        database: Database,
        visibility: str,
    ) -> None:
        """Row 5, also on public projects"""
        project = make_project(**{visibility: True})
        assert ask(client, project, known.add_worker(7), submit=True).json == {"ok": True}
        assert database.one("SELECT * FROM worker_access") == {
            "worker": 7,
            "project": project,
            "assign": False,
            "submit": True,
            "pending": True,
        }
        data = {"project_id": project, "worker_id": 7, "assign": False, "submit": True}
        assert events(database) == [("tracker.access.requested", data)]

    def test_a_token_of_a_worker_will_do(
        self, client: ContractClient, known: KnownPrincipals, make_project: Make
    ) -> None:
        """DESIGN 4"""
        headers = known.add_token("t", Principal(Kind.WORKER, 9, "nine", version=1))
        assert ask(client, make_project(), headers, assign=True).json == {"ok": True}


class TestDecision:
    """spec: tracker 4.3, accept_request and reject_request"""

    @pytest.mark.parametrize(
        ("path", "text"),
        [
            ("accept_request/x/1", "Invalid worker id"),
            ("accept_request/0/1", "Invalid worker id"),
            ("accept_request/1/x", "Invalid worker id"),
            ("accept_request/1/-1", "Invalid worker id"),
            ("reject_request/x/1", "Invalid project id"),
            ("reject_request/0/x", "Invalid project id"),
            ("reject_request/1/x", "Invalid worker id"),
            ("reject_request/1/0", "Invalid worker id"),
        ],
    )
    def test_bad_ids(self, client: ContractClient, path: str, text: str) -> None:
        """Row 1, before the role"""
        assert refusal(client.post(f"/project/{path}")) == (400, text)

    @pytest.mark.parametrize("decision", ["accept_request", "reject_request"])
    def test_needs_manage_access(
        self,
        client: ContractClient,
        known: KnownPrincipals,
        make_project: Make,
        grant: Make,
        give_role: Make,
        database: Database,
        decision: str,
    ) -> None:
        """Row 2, Q-01"""
        project = make_project()
        grant(7, project, assign=True, pending=True)
        give_role(3, project, 31 & ~Role.MANAGE_ACCESS)
        for headers in ({}, known.add_worker(7), known.add_account(3), known.add_account(4)):
            answer = client.post(f"/project/{decision}/{project}/7", headers=headers)
            assert refusal(answer) == (403, "Unauthorized")
        assert database.value("SELECT pending FROM worker_access") is True
        give_role(5, project, Role.MANAGE_ACCESS)
        answer = client.post(f"/project/{decision}/{project}/7", headers=known.add_account(5))
        assert answer.json == {"ok": True}

    @pytest.mark.parametrize("decision", ["accept_request", "reject_request"])
    @pytest.mark.parametrize(("project", "worker"), [(1, 404), (404, 7), (2**31, 7), (1, 2**63 - 1)])
    def test_no_row_for_the_pair(
        self, client: ContractClient, admin: Headers, decision: str, project: int, worker: int
    ) -> None:
        """Row 3, Q-05"""
        answer = client.post(f"/project/{decision}/{project}/{worker}", headers=admin)
        assert refusal(answer) == (200, NO_ACCESS)

    def test_accepting_clears_the_pending_flag(
        self, client: ContractClient, admin: Headers, make_project: Make, grant: Make, database: Database
    ) -> None:
        """Row 4, also when accepted before; the body is ignored"""
        project = make_project()
        grant(7, project, assign=True, pending=True)
        for _ in range(2):
            answer = client.post(f"/project/accept_request/{project}/7", data=b"nonsense", headers=admin)
            assert answer.json == {"ok": True}
        assert database.value("SELECT pending FROM worker_access") is False
        data = {"project_id": project, "worker_id": 7, "assign": True, "submit": False, "by": 1}
        assert events(database)[0] == ("tracker.access.granted", data)

    @pytest.mark.parametrize("pending", [True, False])
    def test_rejecting_removes_the_row(
        self,
        client: ContractClient,
        admin: Headers,
        make_project: Make,
        grant: Make,
        database: Database,
        known: KnownPrincipals,
        pending: bool,
    ) -> None:
        """Requests and granted access alike; the worker can then ask again"""
        project = make_project()
        grant(7, project, submit=True, pending=pending)
        assert client.post(f"/project/reject_request/{project}/7", headers=admin).json == {"ok": True}
        assert database.value("SELECT count(*) FROM worker_access") == 0
        data = {"project_id": project, "worker_id": 7, "assign": False, "submit": False, "by": 1}
        assert events(database) == [("tracker.access.revoked", data)]
        assert ask(client, project, known.add_worker(7), assign=True).status_code == 200


class TestList:
    """spec: tracker 4.3, GET /project/access_list/:id"""

    @pytest.mark.parametrize("text", ["x", "0", "-1"])
    def test_bad_id(self, client: ContractClient, text: str) -> None:
        assert refusal(client.get(f"/project/access_list/{text}")) == (400, "Invalid worker id")

    def test_needs_manage_access(
        self, client: ContractClient, known: KnownPrincipals, make_project: Make, give_role: Make
    ) -> None:
        project = make_project()
        give_role(3, project, 31 & ~Role.MANAGE_ACCESS)
        for headers in ({}, known.add_worker(7), known.add_account(3)):
            assert refusal(client.get(f"/project/access_list/{project}", headers=headers)) == (403, "Unauthorized")
        give_role(4, project, Role.MANAGE_ACCESS)
        assert client.get(f"/project/access_list/{project}", headers=known.add_account(4)).json == {
            "ok": True,
            "content": {"accesses": []},
        }

    @pytest.mark.parametrize("number", [404, 2**31, 2**63 - 1])
    def test_an_unknown_project_has_none(self, client: ContractClient, admin: Headers, number: int) -> None:
        """Q-05"""
        answer = client.get(f"/project/access_list/{number}", headers=admin)
        assert answer.json == {"ok": True, "content": {"accesses": []}}

    def test_accepted_ones_first_then_by_alias(
        self, client: ContractClient, admin: Headers, make_project: Make, grant: Make, database: Database
    ) -> None:
        project = make_project()
        for worker, pending in ((1, True), (2, False), (3, True), (4, False)):
            grant(worker, project, assign=True, pending=pending)
        database.execute("UPDATE worker SET alias = chr(105 - id::int)")
        answer: Any = client.get(f"/project/access_list/{project}", headers=admin)
        accesses = answer.json["content"]["accesses"]
        assert [(access["worker"]["alias"], access["request"]) for access in accesses] == [
            ("e", False),
            ("g", False),
            ("f", True),
            ("h", True),
        ]
        assert accesses[0] == {
            "submit": False,
            "assign": True,
            "request": False,
            "worker": {"id": 4, "created": 1, "alias": "e", "secret": None, "paused": False},
            "project": project,
        }

    def test_an_empty_alias_is_left_out(
        self, client: ContractClient, admin: Headers, make_project: Make, grant: Make, database: Database
    ) -> None:
        """spec: tracker 3"""
        project = make_project()
        grant(1, project, submit=True)
        database.execute("UPDATE worker SET alias = ''")
        answer: Any = client.get(f"/project/access_list/{project}", headers=admin)
        assert "alias" not in answer.json["content"]["accesses"][0]["worker"]
