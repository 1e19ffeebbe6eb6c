"""Test clients that check every answer against the contract of the service that gave it.

In a service's tests: `app.test_client_class = ContractClient`. Through the gate:
`contract_checked(requests.Session())`.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers
from werkzeug.test import TestResponse

from chassis.contracts import Contract, contract_names

_PAGES = re.compile(r"/(healthz|readyz|metrics|internal/.*)")


class ContractClient(FlaskClient):
    """A test client that raises `ContractViolation` for an answer which the contract of the application does not allow.

    The application's name is the contract's name. Health pages and internal routes have no contract.
    """

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        """Make the request and check its answer."""
        response = super().open(*args, **kwargs)
        for answer in (*response.history, response):
            request = answer.request
            contract = Contract.load(self.application.name)
            check_answer(contract, request.method, request.path, answer.status_code, answer.headers, answer.get_data())
            request.environ["wsgi.input"].close()  # a large body lies in a file that nobody else closes
        return response


def contract_checked(session: requests.Session) -> requests.Session:
    """The session, which from now on raises `ContractViolation` for answers that no contract allows.

    Paths that no contract covers are not checked.
    """
    contracts = [Contract.load(name, at_gate=True) for name in contract_names()]

    def check(response: requests.Response, *args: Any, **kwargs: Any) -> None:
        path = gate_path(response.request.path_url)
        method = response.request.method or ""
        headers = Headers(list(response.headers.items()))
        for contract in contracts:
            if contract.covers(path):
                check_answer(contract, method, path, response.status_code, headers, response.content)

    session.hooks["response"].append(check)
    return session


def gate_path(url: str) -> str:
    """The path that a service sees: decoded, slashes merged, without query and without `/api`."""
    path = re.sub("/+", "/", unquote(urlsplit(re.sub("^/+", "/", url)).path))
    return path.removeprefix("/api") if path.startswith("/api/") else path


def check_answer(contract: Contract, method: str, path: str, status: int, headers: Headers, body: bytes) -> None:
    """Raise `ContractViolation` unless the answer is documented, or rightly says that there is no such route."""
    if method == "OPTIONS" or _PAGES.fullmatch(path):
        return
    if contract.find(method, path):
        contract.check_response(method, path, status, headers, body)
    elif method != "HEAD":
        contract.check_unrouted(status, body)
