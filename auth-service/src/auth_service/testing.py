"""The whole service in one process, for tests."""

from typing import Any

import orjson
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from auth_service.app import create_app
from auth_service.container import NAME, Container
from auth_service.settings import AuthSettings
from chassis.database import Database
from chassis.internal import service_token
from chassis.testing.contract_client import ContractClient

PASSWORD = "correct horse"  # noqa: S105 - of accounts that live for one test


class Visitor:
    """Speaks to the service like curl: JSON bodies under a form's content type; keeps cookies."""

    def __init__(self, client: FlaskClient, headers: dict[str, str]) -> None:
        self.client = client
        self.headers = headers

    def get(self, path: str, **headers: str) -> TestResponse:
        """GET; underscores in header names stand for dashes."""
        return self.send("GET", path, None, headers)

    def post(self, path: str, body: Any = None, **headers: str) -> TestResponse:
        """POST a JSON value, or bytes as they are."""
        return self.send("POST", path, body, headers)

    def delete(self, path: str, **headers: str) -> TestResponse:
        """DELETE."""
        return self.send("DELETE", path, None, headers)

    def send(self, method: str, path: str, body: Any, headers: dict[str, str]) -> TestResponse:
        """Any method; headers as on the wire or with underscores for dashes."""
        return self.client.open(
            path,
            method=method,
            data=body if isinstance(body, bytes | None) else orjson.dumps(body),
            content_type="application/x-www-form-urlencoded",
            headers={**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}},
        )


class House:
    """An auth-service on a database of its own; every answer is checked against the contract."""

    def __init__(self, settings: AuthSettings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self.app = create_app(settings, database)
        self.app.test_client_class = ContractClient

    @property
    def parts(self) -> Container:
        """What the service is made of."""
        return self.app.extensions[NAME]  # type: ignore[no-any-return]

    def visitor(self, **headers: str) -> Visitor:
        """Somebody without a session; underscores in header names stand for dashes."""
        client = self.app.test_client(use_cookies="Cookie" not in headers)
        return Visitor(client, {name.replace("_", "-"): value for name, value in headers.items()})

    def worker(self, alias: str = "some alias") -> Visitor:
        """A new worker, which sends its headers."""
        made = self.visitor().post("/worker/create", {"alias": alias}).get_json()["content"]["worker"]
        return self.visitor(X_Worker_ID=str(made["id"]), X_Secret=made["secret"])

    def account(self, username: str = "myadmin") -> Visitor:
        """A new account with :data:`PASSWORD`, logged in; the first one is tracker admin."""
        visitor = self.visitor()
        answer = visitor.post("/register", {"username": username, "password": PASSWORD})
        assert answer.status_code == 200, answer.data
        return visitor

    def service(self, caller: str = "tracker") -> Visitor:
        """Another service of the house."""
        key = self.settings.internal_key.get_secret_value()
        return self.visitor(Authorization=f"Bearer {service_token(key, caller, NAME)}")

    def events(self, type_: str) -> list[Any]:
        """The data of the events of one type that wait for the broker."""
        rows = self.database.all("SELECT envelope FROM outbox WHERE type = %s ORDER BY id", [type_])
        return [orjson.loads(row["envelope"])["data"] for row in rows]
