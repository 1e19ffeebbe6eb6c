"""The two secrets of a project (spec: tracker 4.3, Q-02, Q-05)."""

from collections.abc import Callable
from typing import Any

import pytest

from chassis.testing.contract_client import ContractClient
from chassis.testing.identity import KnownPrincipals
from tracker_service.roles import Role

Headers = dict[str, str]
Make = Callable[..., Any]

KINDS = ("secret", "webhook_secret")


def refusal(answer: Any) -> tuple[int, str]:
    assert answer.json["ok"] is False
    return answer.status_code, answer.json["message"]


def secret(answer: Any) -> str:
    assert answer.status_code == 200, answer.json
    return str(answer.json["content"]["secret"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("text", ["x", "0", "-1"])
def test_bad_id(client: ContractClient, kind: str, method: str, text: str) -> None:
    """Before everything else"""
    answer = client.open(f"/project/{kind}/{text}", method=method, data=b"{")
    assert refusal(answer) == (400, "Invalid project id")


@pytest.mark.parametrize("kind", KINDS)
def test_accounts_need_secret(
    client: ContractClient, known: KnownPrincipals, make_project: Make, give_role: Make, kind: str
) -> None:
    """spec: tracker 2.3"""
    project = make_project()
    give_role(3, project, 31 & ~Role.SECRET)
    give_role(4, project, Role.SECRET)
    for headers in ({}, known.add_account(3), {"Cookie": "tt=gone"}):
        assert refusal(client.get(f"/project/{kind}/{project}", headers=headers)) == (403, "Unauthorized")
        answer = client.post(f"/project/{kind}/{project}", json={kind: "x"}, headers=headers)
        assert refusal(answer) == (403, "Unauthorized")
    owner = known.add_account(4)
    assert client.post(f"/project/{kind}/{project}", json={kind: "x"}, headers=owner).json == {"ok": True}
    assert client.get(f"/project/{kind}/{project}", headers=owner).json == {"ok": True, "content": {kind: "x"}}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", ["", '{"password": "<&>"}', "ünïcödé \u2028", "x" * 1024])
def test_any_text_comes_back(client: ContractClient, admin: Headers, make_project: Make, kind: str, value: str) -> None:
    """Also an empty one"""
    project = make_project()
    client.post(f"/project/{kind}/{project}", json={kind: value}, headers=admin)
    answer: Any = client.get(f"/project/{kind}/{project}", headers=admin)
    assert answer.json["content"] == {kind: value}


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_projects(client: ContractClient, admin: Headers, kind: str) -> None:
    """An empty text, Q-05"""
    for number in (404, 2**31, 2**63 - 1):
        assert client.post(f"/project/{kind}/{number}", json={kind: "x"}, headers=admin).json == {"ok": True}
        answer: Any = client.get(f"/project/{kind}/{number}", headers=admin)
        assert answer.json["content"] == {kind: ""}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("body", [b"", b"{", b'{"%s":1}', rb'{"%s":"a\u0000b"}'])
def test_a_body_that_cannot_be_parsed(
    client: ContractClient, admin: Headers, make_project: Make, kind: str, body: bytes
) -> None:
    """U+0000 counts as such (Q-05)"""
    answer = client.post(f"/project/{kind}/{make_project()}", data=body.replace(b"%s", kind.encode()), headers=admin)
    assert refusal(answer) == (400, "Could not parse request")


def test_order_of_role_and_parse_differs(client: ContractClient, make_project: Make) -> None:
    """spec: tracker 4.3"""
    project = make_project()
    assert refusal(client.post(f"/project/secret/{project}", data=b"{")) == (403, "Unauthorized")
    assert refusal(client.post(f"/project/webhook_secret/{project}", data=b"{")) == (400, "Could not parse request")


def test_workers_never_read_or_write_other_secrets(
    client: ContractClient, known: KnownPrincipals, make_project: Make, grant: Make
) -> None:
    """spec: tracker 2.5"""
    project = make_project()
    grant(7, project, assign=True, submit=True)
    headers = known.add_worker(7)
    assert client.post(f"/project/secret/{project}", json={"secret": "x"}, headers=headers).status_code == 403
    assert client.get(f"/project/webhook_secret/{project}", headers=headers).status_code == 403
    answer = client.post(f"/project/webhook_secret/{project}", json={"webhook_secret": "x"}, headers=headers)
    assert answer.status_code == 403


class TestWorkerReads:
    """spec: tracker 4.3, GET /project/secret/:id, rows 2-4"""

    @pytest.mark.parametrize(
        ("access", "allowed"),
        [
            (None, False),
            ({"assign": True}, True),
            ({"assign": True, "submit": True}, True),
            ({"submit": True}, True),
            ({"assign": True, "pending": True}, False),
            ({"submit": True, "pending": True}, False),
        ],
    )
    @pytest.mark.parametrize("visibility", ["public", "hidden"])
    def test_needs_granted_assign(
        self,
        client: ContractClient,
        known: KnownPrincipals,
        make_project: Make,
        grant: Make,
        access: dict[str, bool] | None,
        allowed: bool,
        visibility: str,
    ) -> None:
        """Q-02; an accepted SUBMIT includes Assign (DESIGN 10); being public grants nothing here"""
        project = make_project(**{visibility: True}, secret="s3cret")
        if access:
            grant(7, project, **access)
        answer = client.get(f"/project/secret/{project}", headers=known.add_worker(7))
        if allowed:
            assert secret(answer) == "s3cret"
        else:
            assert refusal(answer) == (403, "Unauthorized")

    def test_unknown_project(self, client: ContractClient, known: KnownPrincipals) -> None:
        """Row 3"""
        assert refusal(client.get("/project/secret/404", headers=known.add_worker(7))) == (403, "Unauthorized")

    def test_a_valid_worker_is_not_judged_by_the_session(
        self, client: ContractClient, known: KnownPrincipals, make_project: Make, admin: Headers
    ) -> None:
        """Row 3"""
        headers = {**known.add_worker(7), **admin}
        assert refusal(client.get(f"/project/secret/{make_project()}", headers=headers)) == (403, "Unauthorized")

    def test_an_invalid_worker_falls_through_to_the_session(
        self, client: ContractClient, known: KnownPrincipals, make_project: Make, admin: Headers
    ) -> None:
        """Rows 4 and 5"""
        project = make_project(secret="s3cret")
        bad = {**known.add_worker(7), "X-Secret": "wrong"}
        assert refusal(client.get(f"/project/secret/{project}", headers=bad)) == (403, "Unauthorized")
        assert secret(client.get(f"/project/secret/{project}", headers={**bad, **admin})) == "s3cret"

    def test_revocation_holds_for_the_next_request(
        self, client: ContractClient, known: KnownPrincipals, make_project: Make, grant: Make, admin: Headers
    ) -> None:
        """Q-25, Q-26"""
        project = make_project()
        grant(7, project, assign=True)
        headers = known.add_worker(7)
        assert client.get(f"/project/secret/{project}", headers=headers).status_code == 200
        client.post(f"/project/reject_request/{project}/7", headers=admin)
        assert client.get(f"/project/secret/{project}", headers=headers).status_code == 403
