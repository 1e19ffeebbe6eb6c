"""Roles of accounts on projects (spec: tracker 2.3, 4.6, Q-05, Q-12)."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from chassis.database import Database
from chassis.errors import Unavailable
from chassis.testing.contract_client import ContractClient
from chassis.testing.identity import KnownPrincipals
from tracker_service.principals import Account
from tracker_service.roles import Role

Headers = dict[str, str]
Make = Callable[..., Any]


def refusal(answer: Any) -> tuple[int, str]:
    assert answer.json["ok"] is False
    return answer.status_code, answer.json["message"]


def set_role(client: ContractClient, project: int | str, headers: Headers, manager: int, role: int) -> Any:
    return client.post(
        f"/manager/set_role_for_project/{project}", json={"manager": manager, "role": role}, headers=headers
    )


def role_of(database: Database, account: int, project: int) -> Any:
    return database.value("SELECT role FROM project_role WHERE account = %s AND project = %s", [account, project])


class TestList:
    """spec: tracker 4.6, GET /manager/list_for_project/:id"""

    @pytest.mark.parametrize("text", ["x", "0", "-1"])
    def test_bad_id(self, client: ContractClient, text: str) -> None:
        """Before the login"""
        assert refusal(client.get(f"/manager/list_for_project/{text}")) == (400, "Invalid project id")

    def test_needs_a_login(self, client: ContractClient, known: KnownPrincipals) -> None:
        for headers in ({}, known.add_worker(7), {"Cookie": "tt=gone"}):
            assert refusal(client.get("/manager/list_for_project/1", headers=headers)) == (401, "Unauthorized")

    @pytest.mark.parametrize("number", [404, 2**31, 2**63 - 1])
    def test_none(self, client: ContractClient, manager: Headers, number: int) -> None:
        """`[]` for an unknown project, Q-05"""
        answer = client.get(f"/manager/list_for_project/{number}", headers=manager)
        assert answer.json == {"ok": True, "content": {"managers": []}}

    def test_accounts_with_a_role_by_id(
        self, client: ContractClient, manager: Headers, make_project: Make, give_role: Make
    ) -> None:
        """Any account may read, whatever its roles."""
        project = make_project()
        give_role(9, make_project(), Role.READ)
        give_role(8, project, Role.READ | Role.SECRET)
        give_role(3, project, Role.EDIT)
        answer: Any = client.get(f"/manager/list_for_project/{project}", headers=manager)
        assert answer.json["content"]["managers"] == [
            {"role": 2, "manager": {"id": 3, "username": "account-3", "tracker_admin": False, "register_time": 1}},
            {"role": 9, "manager": {"id": 8, "username": "account-8", "tracker_admin": False, "register_time": 1}},
        ]


class TestSetRole:
    """spec: tracker 4.6, POST /manager/set_role_for_project/:id"""

    @pytest.mark.parametrize("text", ["x", "0", "-1"])
    def test_bad_id(self, client: ContractClient, text: str) -> None:
        assert refusal(set_role(client, text, {}, 1, 1)) == (400, "Invalid project id")

    @pytest.mark.parametrize("body", [b"", b"{", b'{"role":"1"}', b'{"manager":1.0}', b'{"role":9223372036854775808}'])
    def test_a_body_that_cannot_be_parsed(self, client: ContractClient, body: bytes) -> None:
        """Before the role"""
        answer = client.post("/manager/set_role_for_project/1", data=body)
        assert refusal(answer) == (400, "Could not parse request")

    def test_needs_manage_access(
        self, client: ContractClient, known: KnownPrincipals, make_project: Make, give_role: Make
    ) -> None:
        """Before the values are looked at"""
        project = make_project()
        give_role(3, project, 31 & ~Role.MANAGE_ACCESS)
        for headers in ({}, known.add_worker(3), known.add_account(3)):
            assert refusal(set_role(client, project, headers, 3, 99)) == (403, "Unauthorized")

    @pytest.mark.parametrize(("manager", "role"), [(0, 1), (-1, 1), (3, -1), (3, 32), (3, 2**40), (404, 1), (404, 0)])
    def test_bad_values(
        self, client: ContractClient, admin: Headers, make_project: Make, give_role: Make, manager: int, role: int
    ) -> None:
        """Q-05, Q-12: an account that auth-service does not know either, or a role outside 0-31"""
        project = make_project()
        give_role(3, project, Role.READ)
        assert refusal(set_role(client, project, admin, manager, role)) == (400, "Invalid request")

    @pytest.mark.parametrize("project", [404, 2**31, 2**63 - 1])
    def test_an_unknown_project(
        self, client: ContractClient, admin: Headers, give_role: Make, make_project: Make, project: int
    ) -> None:
        """Q-05"""
        give_role(3, make_project(), Role.READ)
        assert refusal(set_role(client, project, admin, 3, 1)) == (400, "Invalid request")

    def test_sets_replaces_and_removes(
        self, client: ContractClient, admin: Headers, make_project: Make, give_role: Make, database: Database
    ) -> None:
        """Any other value replaces, 0 deletes"""
        project = make_project()
        give_role(3, project, Role.READ)
        for role in (31, 9, 0, 0, 1):
            assert set_role(client, project, admin, 3, role).json == {"ok": True}
            assert role_of(database, 3, project) == (role or None)

    def test_an_account_that_the_tracker_has_not_met(
        self,
        client: ContractClient,
        admin: Headers,
        make_project: Make,
        accounts: dict[int, Account],
        database: Database,
    ) -> None:
        """It is looked up at auth-service."""
        accounts[8] = Account(8, "eight", tracker_admin=False, register_time=5, version=2)
        project = make_project()
        assert set_role(client, project, admin, 8, 3).json == {"ok": True}
        assert role_of(database, 8, project) == 3
        assert database.value("SELECT username FROM account WHERE id = 8") == "eight"

    def test_auth_service_is_away(
        self, client: ContractClient, admin: Headers, make_project: Make, accounts: Any, monkeypatch: Any
    ) -> None:
        """503 and not "no such account" """

        def away(_: int) -> None:
            raise Unavailable("auth-service")

        monkeypatch.setattr(accounts, "find", away)
        answer = set_role(client, make_project(), admin, 8, 3)
        assert answer.status_code == 503
        assert "Retry-After" in answer.headers

    @pytest.mark.parametrize(
        ("before", "after", "allowed"),
        [
            (0, Role.READ, True),
            (0, Role.READ | Role.MANAGE_ACCESS, True),
            (0, Role.SECRET, False),
            (Role.SECRET, Role.SECRET | Role.READ, True),
            (Role.SECRET | Role.READ, Role.SECRET, True),
            (Role.SECRET | Role.READ, 0, False),
            (31, 31, True),
            (31, 30, True),
        ],
    )
    def test_others_change_only_bits_that_they_hold(
        self,
        client: ContractClient,
        known: KnownPrincipals,
        make_project: Make,
        give_role: Make,
        database: Database,
        before: int,
        after: int,
        allowed: bool,
    ) -> None:
        """Q-12; the caller holds READ and MANAGE_ACCESS"""
        project = make_project()
        give_role(3, project, Role.READ | Role.MANAGE_ACCESS)
        give_role(8, make_project(), 1)
        if before:
            give_role(8, project, before)
        answer = set_role(client, project, known.add_account(3), 8, after)
        if allowed:
            assert answer.json == {"ok": True}
        else:
            assert refusal(answer) == (403, "Unauthorized")
        assert role_of(database, 8, project) == ((after if allowed else before) or None)

    @pytest.mark.parametrize("role", [0, 4, 5, 31])
    def test_nobody_but_an_admin_changes_their_own(
        self, client: ContractClient, known: KnownPrincipals, make_project: Make, give_role: Make, role: int
    ) -> None:
        """Q-12"""
        project = make_project()
        give_role(3, project, 31)
        assert refusal(set_role(client, project, known.add_account(3), 3, role)) == (403, "Unauthorized")
        assert set_role(client, project, known.add_account(3, admin=True), 3, role).json == {"ok": True}

    def test_tells_the_house(
        self, client: ContractClient, admin: Headers, make_project: Make, give_role: Make, database: Database
    ) -> None:
        """DESIGN 5"""
        project = make_project()
        give_role(3, project, 1)
        set_role(client, project, admin, 3, 0)
        event = orjson.loads(database.value("SELECT envelope FROM outbox"))
        assert event["type"] == "tracker.role.changed"
        assert event["data"] == {"project_id": project, "account_id": 3, "role": 0, "by": 1}


def test_a_demoted_admin_loses_power_at_once(
    client: ContractClient, known: KnownPrincipals, make_project: Make
) -> None:
    """spec: tracker Q-09: the flag is read on each request"""
    hidden = make_project(hidden=True)
    headers = known.add_account(6, admin=True)
    assert client.get(f"/project/get/{hidden}", headers=headers).status_code == 200
    known.add_account(6, admin=False)
    assert client.get(f"/project/get/{hidden}", headers=headers).status_code == 403
