"""Projects: create, read, replace, list (spec: tracker 2.3, 2.4, 4.3)."""

import uuid
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from chassis.database import Database
from chassis.envelope import UNLIMITED
from chassis.testing.contract_client import ContractClient
from chassis.testing.identity import KnownPrincipals
from tracker_service.roles import Role

Headers = dict[str, str]

NOT_PERMITTED = "You are not permitted to create a project with this configuration"
DUPLICATE = 'pq: duplicate key value violates unique constraint "project_name_key"'
NO_CHAIN_ROLE = "Unauthorized (You need RoleEdit on the project you wish to chain tasks to)"

FULL = {
    "name": "My project",
    "priority": 999,
    "clone_url": "http://github.com/test/test",
    "git_repo": "myrepo",
    "version": "1.0",
    "motd": "hello",
    "public": True,
    "hidden": False,
    "chain": 0,
    "assign_rate": 2.0,
    "submit_rate": 0.5,
}


def create(client: ContractClient, headers: Headers, **fields: Any) -> int:
    answer = client.post("/project/create", json={"name": f"p-{uuid.uuid4().hex}", **fields}, headers=headers)
    assert answer.status_code == 200, answer.json
    return int(content(answer)["id"])


def content(answer: Any) -> Any:
    return answer.json["content"]


def refusal(answer: Any) -> tuple[int, str]:
    assert answer.json["ok"] is False
    return answer.status_code, answer.json["message"]


def project(client: ContractClient, number: int, headers: Headers | None = None) -> dict[str, Any]:
    answer = client.get(f"/project/get/{number}", headers=headers)
    assert answer.status_code == 200, answer.json
    return dict(content(answer)["project"])


class TestCreate:
    """spec: tracker 4.3, POST /project/create"""

    def test_stores_what_was_sent(self, client: ContractClient, admin: Headers) -> None:
        """Row 5; the fields stand under content and under content.project (DESIGN 10)."""
        number = create(client, admin, **FULL)
        shown = content(client.get(f"/project/get/{number}"))
        assert shown.pop("project") == shown == {**FULL, "id": number, "paused": False}

    def test_missing_fields_have_defaults_and_zero_rates_mean_unlimited(
        self, client: ContractClient, manager: Headers
    ) -> None:
        """spec: tracker 3, 4.3; 16 row 7"""
        found = client.get(f"/project/get/{create(client, manager, name='bare', assign_rate=0)}")
        shown = content(found)["project"]
        assert shown["assign_rate"] == shown["submit_rate"] == UNLIMITED
        assert (shown["priority"], shown["chain"], shown["motd"]) == (0, 0, "")
        assert not shown["public"]
        assert not shown["hidden"]
        assert not shown["paused"]

    def test_paused_is_not_read(self, client: ContractClient, manager: Headers) -> None:
        """A new project is never paused."""
        assert project(client, create(client, manager, paused=True))["paused"] is False

    def test_creator_gets_every_role_and_fresh_secrets(
        self, client: ContractClient, manager: Headers, database: Database
    ) -> None:
        """Row 5"""
        number = create(client, manager)
        assert database.value("SELECT role FROM project_role WHERE account = 2 AND project = %s", [number]) == 31
        assert client.get(f"/project/secret/{number}", headers=manager).json == {
            "ok": True,
            "content": {"secret": "{}"},
        }
        answer = client.get(f"/project/webhook_secret/{number}", headers=manager)
        assert uuid.UUID(content(answer)["webhook_secret"]).version == 4

    @pytest.mark.parametrize(
        "body", [b"", b"[]", b'{"name":1}', b'{"name":"x"} x', b'{"priority":1.0}', b'{"chain":1e3}']
    )
    def test_a_body_that_cannot_be_parsed(self, client: ContractClient, manager: Headers, body: bytes) -> None:
        """Row 1"""
        answer = client.post("/project/create", data=body, headers=manager)
        assert refusal(answer) == (400, "Could not parse request")

    @pytest.mark.parametrize(
        "broken",
        [
            {"name": ""},
            {"name": None},
            {"priority": -1},
            {"priority": 2**31},
            {"public": True, "hidden": True},
            {"assign_rate": -1.0},
            {"submit_rate": -0.5},
            {"name": "nul\0"},
            {"motd": "nul\0"},
            {"name": "x" * 256},
        ],
    )
    def test_a_broken_rule(self, client: ContractClient, admin: Headers, broken: dict[str, Any]) -> None:
        """Row 2; Q-05, Q-21, Q-43"""
        answer = client.post("/project/create", json={"name": "rule", **broken}, headers=admin)
        assert refusal(answer) == (400, "Invalid project")

    def test_top_level_null_is_an_empty_object(self, client: ContractClient, manager: Headers) -> None:
        """spec: tracker Q-55"""
        assert refusal(client.post("/project/create", data=b"null", headers=manager)) == (400, "Invalid project")

    def test_anonymous_and_workers_may_not(self, client: ContractClient, known: KnownPrincipals) -> None:
        """Row 3"""
        for headers in ({}, known.add_worker(5)):
            answer = client.post("/project/create", json={"name": "x"}, headers=headers)
            assert refusal(answer) == (400, NOT_PERMITTED)

    def test_public_needs_an_admin(self, client: ContractClient, manager: Headers, admin: Headers) -> None:
        """Row 3"""
        answer = client.post("/project/create", json={"name": "x", "public": True}, headers=manager)
        assert refusal(answer) == (400, NOT_PERMITTED)
        create(client, admin, public=True)

    def test_chain_target_needs_edit(
        self, client: ContractClient, manager: Headers, make_project: Callable[..., int], give_role: Callable[..., None]
    ) -> None:
        """Row 3"""
        target = make_project()
        body = {"name": "chained", "chain": target}
        give_role(2, target, Role.READ | Role.MANAGE_ACCESS)
        assert refusal(client.post("/project/create", json=body, headers=manager)) == (400, NOT_PERMITTED)
        own = create(client, manager)
        assert project(client, create(client, manager, chain=own))["chain"] == own

    @pytest.mark.parametrize("chain", [404, -1, 2**40])
    def test_missing_chain_target_also_stops_an_admin(self, client: ContractClient, admin: Headers, chain: int) -> None:
        """Row 3"""
        answer = client.post("/project/create", json={"name": "x", "chain": chain}, headers=admin)
        assert refusal(answer) == (400, NOT_PERMITTED)

    def test_a_taken_name(self, client: ContractClient, manager: Headers, admin: Headers) -> None:
        """Row 4; names are case-sensitive"""
        create(client, manager, name="taken")
        answer = client.post("/project/create", json={"name": "taken"}, headers=admin)
        assert refusal(answer) == (500, DUPLICATE)
        create(client, admin, name="Taken")

    def test_tells_the_house(self, client: ContractClient, manager: Headers, database: Database) -> None:
        """DESIGN 5"""
        number = create(client, manager, name="told")
        events = [orjson.loads(row["envelope"]) for row in database.all("SELECT envelope FROM outbox ORDER BY id")]
        assert [event["type"] for event in events] == ["tracker.project.created", "tracker.role.changed"]
        assert events[0]["data"]["name"] == "told"
        assert events[1]["data"] == {"project_id": number, "account_id": 2, "role": 31, "by": 2}


class TestGet:
    """spec: tracker 4.3, GET /project/get/:id"""

    @pytest.mark.parametrize("text", ["x", "0", "-1", "9223372036854775808", "1.0"])
    def test_bad_id(self, client: ContractClient, text: str) -> None:
        """Row 1"""
        assert refusal(client.get(f"/project/get/{text}")) == (400, "Invalid worker id")

    @pytest.mark.parametrize("number", [404, 2**31, 2**63 - 1])
    def test_unknown(self, client: ContractClient, admin: Headers, number: int) -> None:
        """Row 2, Q-05"""
        assert refusal(client.get(f"/project/get/{number}", headers=admin)) == (404, "Project not found")

    def test_leading_plus(self, client: ContractClient, make_project: Callable[..., int]) -> None:
        """spec: tracker 1.2"""
        assert client.get(f"/project/get/+{make_project()}").status_code == 200

    def test_public_and_private_ones_are_for_everybody(
        self, client: ContractClient, make_project: Callable[..., int], known: KnownPrincipals
    ) -> None:
        """spec: tracker 2.4; the caller does not matter, so auth-service is not asked"""
        known.away = True
        for number in (make_project(public=True), make_project()):
            assert client.get(f"/project/get/{number}", headers={"Cookie": "tt=x"}).status_code == 200

    def test_hidden_ones_need_read(
        self,
        client: ContractClient,
        make_project: Callable[..., int],
        give_role: Callable[..., None],
        known: KnownPrincipals,
        admin: Headers,
        manager: Headers,
    ) -> None:
        """Row 3; bits are independent (spec: tracker 2.3)"""
        hidden = make_project(hidden=True)
        give_role(3, hidden, Role.READ)
        give_role(4, hidden, 31 & ~Role.READ)
        for headers in ({}, manager, known.add_worker(3), known.add_account(4)):
            assert refusal(client.get(f"/project/get/{hidden}", headers=headers)) == (403, "Unauthorized")
        for headers in (known.add_account(3), admin):
            assert client.get(f"/project/get/{hidden}", headers=headers).status_code == 200

    def test_secrets_are_not_shown(self, client: ContractClient, make_project: Callable[..., int]) -> None:
        """spec: tracker 3"""
        text = client.get(f"/project/get/{make_project(secret='s3cret')}").get_data(as_text=True)
        assert "secret" not in text

    def test_a_database_that_is_away(self, client: ContractClient, database: Database) -> None:
        """503 with Retry-After"""
        database.close()
        answer = client.get("/project/get/1")
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) >= 1


class TestUpdate:
    """spec: tracker 4.3, POST /project/update/:id"""

    @pytest.mark.parametrize("text", ["x", "0", "-4", "99999999999999999999"])
    def test_bad_id(self, client: ContractClient, admin: Headers, text: str) -> None:
        """Row 1 comes before the rest"""
        assert refusal(client.post(f"/project/update/{text}", data=b"{")) == (400, "Invalid project id")

    def test_a_body_that_cannot_be_parsed(self, client: ContractClient) -> None:
        """Row 2 comes before the role"""
        assert refusal(client.post("/project/update/1", data=b"{")) == (400, "Could not parse request")

    @pytest.mark.parametrize(
        "broken",
        [{"name": ""}, {"priority": -1}, {"public": True, "hidden": True}, {"assign_rate": -1}, {"version": "\0"}],
    )
    def test_a_broken_rule(self, client: ContractClient, broken: dict[str, Any]) -> None:
        """Row 3 comes before the role"""
        assert refusal(client.post("/project/update/1", json={"name": "x", **broken})) == (400, "Invalid request")

    def test_chain_to_itself(self, client: ContractClient) -> None:
        """Row 3"""
        assert refusal(client.post("/project/update/7", json={"name": "x", "chain": 7})) == (400, "Invalid request")

    def test_needs_edit(
        self,
        client: ContractClient,
        make_project: Callable[..., int],
        give_role: Callable[..., None],
        known: KnownPrincipals,
    ) -> None:
        """Row 4"""
        number = make_project("kept")
        give_role(3, number, 31 & ~Role.EDIT)
        give_role(4, number, Role.EDIT)
        for headers in ({}, known.add_worker(4), known.add_account(3)):
            answer = client.post(f"/project/update/{number}", json={"name": "new"}, headers=headers)
            assert refusal(answer) == (403, "Unauthorized")
        assert project(client, number)["name"] == "kept"
        editor = known.add_account(4)
        assert client.post(f"/project/update/{number}", json={"name": "new"}, headers=editor).json == {"ok": True}
        assert project(client, number)["name"] == "new"

    def test_chain_needs_edit_on_the_target(
        self, client: ContractClient, make_project: Callable[..., int], manager: Headers
    ) -> None:
        """Row 5, also for a target that does not exist"""
        own = create(client, manager)
        for target in (make_project(), 404):
            answer = client.post(f"/project/update/{own}", json={"name": "x", "chain": target}, headers=manager)
            assert refusal(answer) == (403, NO_CHAIN_ROLE)

    def test_a_taken_name(self, client: ContractClient, make_project: Callable[..., int], admin: Headers) -> None:
        """Row 6"""
        make_project("taken")
        answer = client.post(f"/project/update/{make_project()}", json={"name": "taken"}, headers=admin)
        assert refusal(answer) == (500, DUPLICATE)

    def test_an_admin_chains_to_nothing(
        self, client: ContractClient, make_project: Callable[..., int], admin: Headers
    ) -> None:
        """Row 6"""
        answer = client.post(f"/project/update/{make_project()}", json={"name": "x", "chain": 404}, headers=admin)
        assert refusal(answer) == (
            500,
            'pq: insert or update on table "project" violates foreign key constraint "project_chain_fkey"',
        )

    def test_replaces_every_field(self, client: ContractClient, admin: Headers) -> None:
        """Row 7: what is missing goes back to its default"""
        number = create(client, admin, **FULL)
        body = {"name": "short", "paused": True, "assign_rate": None}
        assert client.post(f"/project/update/{number}", json=body, headers=admin).json == {"ok": True}
        assert project(client, number) == {
            "id": number,
            "priority": 0,
            "name": "short",
            "clone_url": "",
            "git_repo": "",
            "version": "",
            "motd": "",
            "public": False,
            "hidden": False,
            "chain": 0,
            "paused": True,
            "assign_rate": UNLIMITED,
            "submit_rate": UNLIMITED,
        }

    def test_takes_back_what_it_showed(self, client: ContractClient, admin: Headers) -> None:
        """The page posts the object that it read, with id and unlimited rates (spec: tracker 13.1)."""
        number = create(client, admin, name="round")
        shown = content(client.get(f"/project/get/{number}"))
        assert client.post(f"/project/update/{number}", json=shown, headers=admin).status_code == 200
        assert project(client, number) == shown["project"]

    def test_secrets_and_counters_stay(
        self, client: ContractClient, make_project: Callable[..., int], admin: Headers, database: Database
    ) -> None:
        """spec: tracker 4.3: the fields of the request are replaced, nothing else"""
        number = make_project(secret="s", webhook_secret="w", closed_task_count=4)
        assert client.post(f"/project/update/{number}", json={"name": "x"}, headers=admin).status_code == 200
        row = database.one("SELECT secret, webhook_secret, closed_task_count FROM project WHERE id = %s", [number])
        assert row == {"secret": "s", "webhook_secret": "w", "closed_task_count": 4}

    def test_unknown_project(self, client: ContractClient, admin: Headers, manager: Headers) -> None:
        """spec: tracker Q-28: 404 after the permission check"""
        assert refusal(client.post("/project/update/404", json={"name": "x"}, headers=manager))[0] == 403
        answer = client.post("/project/update/404", json={"name": "x"}, headers=admin)
        assert refusal(answer) == (404, "Project not found")

    def test_publishing_needs_an_admin(
        self,
        client: ContractClient,
        make_project: Callable[..., int],
        give_role: Callable[..., None],
        manager: Headers,
        admin: Headers,
    ) -> None:
        """spec: tracker Q-11; a public project may be saved as public again"""
        private, public = make_project(), make_project(public=True)
        for number in (private, public):
            give_role(2, number, Role.EDIT)
        body = {"name": "a", "public": True}
        assert refusal(client.post(f"/project/update/{private}", json=body, headers=manager)) == (403, "Unauthorized")
        body = {"name": "b", "public": True}
        assert client.post(f"/project/update/{public}", json=body, headers=manager).status_code == 200
        assert client.post(f"/project/update/{private}", json={"name": "a", "public": True}, headers=admin).json == {
            "ok": True
        }

    def test_a_loop_of_chains_is_refused(
        self, client: ContractClient, make_project: Callable[..., int], admin: Headers
    ) -> None:
        """spec: tracker Q-42"""
        last = make_project()
        middle = make_project(chain=last)
        first = make_project(chain=middle)
        answer = client.post(f"/project/update/{last}", json={"name": "x", "chain": first}, headers=admin)
        assert refusal(answer) == (400, "Invalid request")
        assert project(client, last)["chain"] == 0
        answer = client.post(f"/project/update/{first}", json={"name": "y", "chain": last}, headers=admin)
        assert answer.status_code == 200

    def test_tells_the_house(
        self, client: ContractClient, make_project: Callable[..., int], admin: Headers, database: Database
    ) -> None:
        """DESIGN 5"""
        number = make_project()
        client.post(f"/project/update/{number}", json={"name": "x", "paused": True}, headers=admin)
        event = orjson.loads(database.value("SELECT envelope FROM outbox"))
        assert event["type"] == "tracker.project.updated"
        assert event["subject"] == f"project/{number}"
        assert event["data"]["paused"] is True


class TestList:
    """spec: tracker 4.3, GET /project/list"""

    def test_empty(self, client: ContractClient) -> None:
        """`[]`, not null"""
        assert client.get("/project/list").json == {"ok": True, "content": {"projects": []}}

    def test_by_name_and_by_what_the_caller_may_read(
        self,
        client: ContractClient,
        make_project: Callable[..., int],
        give_role: Callable[..., None],
        known: KnownPrincipals,
        manager: Headers,
        admin: Headers,
    ) -> None:
        """Hidden ones need READ or an admin."""
        make_project("c", public=True)
        make_project("a")
        mine, other = make_project("b", hidden=True), make_project("d", hidden=True)
        give_role(2, mine, Role.READ)
        give_role(2, other, Role.EDIT)

        def names(headers: Headers) -> list[str]:
            answer = client.get("/project/list", headers=headers)
            return [entry["name"] for entry in content(answer)["projects"]]

        assert names({}) == names(known.add_worker(2)) == ["a", "c"]
        assert names(manager) == ["a", "b", "c"]
        assert names(admin) == ["a", "b", "c", "d"]


class TestSentAgain:
    """DESIGN 11: with Idempotency-Key a request that creates does so once."""

    def test_one_project(self, client: ContractClient, manager: Headers, database: Database) -> None:
        headers = {**manager, "Idempotency-Key": "k1"}
        first = client.post("/project/create", json={"name": "once"}, headers=headers)
        again = client.post("/project/create", json={"name": "once"}, headers=headers)
        assert first.json == again.json
        assert database.value("SELECT count(*) FROM project") == 1
        assert client.post("/project/create", json={"name": "other"}, headers=headers).status_code == 422

    def test_one_request_for_access(
        self, client: ContractClient, known: KnownPrincipals, make_project: Callable[..., int]
    ) -> None:
        headers = {**known.add_worker(7), "Idempotency-Key": "k1"}
        body = {"project": make_project(), "assign": True}
        for _ in range(2):
            assert client.post("/project/request_access", json=body, headers=headers).json == {"ok": True}

    def test_strangers_are_refused_as_ever(self, client: ContractClient) -> None:
        """Also the order of checks stays"""
        key = {"Idempotency-Key": "k1"}
        assert refusal(client.post("/project/create", data=b"{", headers=key)) == (400, "Could not parse request")
        assert refusal(client.post("/project/create", json={"name": "x"}, headers=key)) == (400, NOT_PERMITTED)
        answer = client.post("/project/request_access", json={"assign": True}, headers=key)
        assert refusal(answer) == (401, "worker id not specified")
