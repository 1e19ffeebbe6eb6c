"""Who may call what, for every documented route (spec: tracker 2.5), and what all routes have in common."""

import pytest

from auth_service.api import BLUEPRINTS
from auth_service.testing import House
from chassis.contracts import Contract, Operation

OPERATIONS = list(Contract.load("auth").operations.values())
BODIES = {"worker_create": {"alias": "x"}, "auth_key_create": {"name": "x"}}


def path_of(operation: Operation) -> str:
    return operation.path.replace("{id}", "7")


def restricted(kind: str) -> list[Operation]:
    """Routes that a principal of this kind may not call."""
    return [o for o in OPERATIONS if "anonymous" not in o.callers and kind not in o.callers]


@pytest.mark.parametrize("operation", restricted("anonymous"), ids=lambda o: o.id)
def test_anonymous_callers_are_refused(house: House, operation: Operation) -> None:
    answer = house.visitor().send(operation.method, path_of(operation), {}, {})
    assert answer.status_code in (401, 403)


@pytest.mark.parametrize("operation", restricted("worker"), ids=lambda o: o.id)
def test_workers_are_refused_where_only_accounts_may(house: House, operation: Operation) -> None:
    answer = house.worker().send(operation.method, path_of(operation), {}, {})
    assert answer.status_code in (401, 403)


@pytest.mark.parametrize("operation", restricted("account"), ids=lambda o: o.id)
def test_accounts_are_refused_where_only_admins_or_workers_may(house: House, operation: Operation) -> None:
    house.account("admin")
    answer = house.account("other").send(operation.method, path_of(operation), {}, {})
    assert answer.status_code in (401, 403)


@pytest.mark.parametrize("operation", [o for o in OPERATIONS if "anonymous" in o.callers], ids=lambda o: o.id)
def test_open_routes_are_open(house: House, operation: Operation) -> None:
    answer = house.visitor().send(operation.method, path_of(operation), BODIES.get(operation.id, {}), {})
    assert answer.status_code not in (405, 500, 501)


def test_every_documented_route_is_there_and_no_other(house: House) -> None:
    served = {
        (method.lower(), rule.rule.replace("<number>", "{id}"))
        for rule in house.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint.partition(".")[0] in {blueprint.name for blueprint in BLUEPRINTS} - {"internal"}
    }
    assert served == {(operation.method, operation.path) for operation in OPERATIONS}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/worker/create"),
        ("POST", "/worker/get/1"),
        ("GET", "/login"),
        ("POST", "/logout"),
        ("DELETE", "/register"),
        ("POST", "/manager/promote/1"),
        ("GET", "/worker/get/"),
        ("GET", "/worker/get"),
        ("GET", "/Account"),
        ("GET", "/account/"),
        ("GET", "/auth"),
        ("GET", "/nothing"),
        ("HEAD", "/account"),
        ("HEAD", "/nothing"),
    ],
)
def test_what_is_not_routed_is_not_found(house: House, method: str, path: str) -> None:
    """spec: tracker 1.1: there is no 405, and HEAD is never routed."""
    answer = house.visitor().send(method, path, None, {})
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/plain; charset=utf-8")
    assert answer.data == (b"" if method == "HEAD" else b"Not found")


@pytest.mark.parametrize("path", ["/login", "/worker/create", "/nothing"])
def test_options_is_answered_everywhere(house: House, path: str) -> None:
    """spec: tracker 1.1, Q-51."""
    answer = house.visitor().send("OPTIONS", path, None, {})
    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, POST, OPTION"


def test_too_large_a_body_is_refused_in_the_envelope(make_house: object) -> None:
    """spec: tracker Q-52."""
    house: House = make_house(max_body_bytes=4 * 1024 * 1024)  # type: ignore[operator]
    answer = house.visitor().post("/worker/create", b" " * (4 * 1024 * 1024 + 1))
    assert (answer.status_code, answer.get_json()["ok"]) == (413, False)


def test_without_its_database_the_service_says_when_to_try_again(house: House) -> None:
    visitor = house.account()
    house.database.close()
    for answer in (
        visitor.post("/worker/create", {}),
        visitor.get("/account"),
        visitor.post("/login", {"username": "myadmin", "password": "correct horse"}),
        visitor.get("/auth/jwks.json"),
        visitor.get("/logout"),
    ):
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert visitor.get("/readyz").get_json() == {
        "ready": False,
        "reasons": {"database": "the database does not answer"},
    }


def test_ready_when_the_database_is(house: House) -> None:
    assert house.visitor().get("/readyz").get_json() == {"ready": True}
