"""People and workers for tests: what they send, through any client of the API."""

from typing import Any, cast

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

API = "/workqueue/api/v1.0"
SITE = "/site/api/v1.0"
USERS = "/users/api/v1.0"
TRANSPORTS = ["file", "sftp", "s3", "webdav", "http", "ftp", "rclone", "dummy"]


class Person:
    """Somebody who sends requests with a credential."""

    def __init__(self, client: FlaskClient, headers: dict[str, str], number: int) -> None:
        self.client, self.headers, self.id = client, headers, number

    def get(self, path: str, **more: Any) -> TestResponse:
        """GET below the workqueue's prefix, or of a whole path."""
        return self._send("GET", path, **more)

    def post(self, path: str, json: Any = None, **more: Any) -> TestResponse:
        """POST JSON."""
        return self._send("POST", path, json=json, **more)

    def put(self, path: str, json: Any = None, **more: Any) -> TestResponse:
        """PUT JSON."""
        return self._send("PUT", path, json=json, **more)

    def delete(self, path: str, **more: Any) -> TestResponse:
        """DELETE."""
        return self._send("DELETE", path, **more)

    def submit(self, kind: str = "list", site: int = 1, **body: Any) -> int:
        """Submit a job, which must be accepted, and return its id."""
        response = self.post(f"/{kind}", {"src_siteid": site, "src_filepath": "/data", **body})
        assert response.status_code == 200, response.text
        return int(response.get_json()["id"])

    def job(self, job_id: int) -> dict[str, Any]:
        """Return a job with its counters, in the dialect of PDM clients."""
        return next(job for job in self.get("/jobs?dialect=pdm").get_json() if job["id"] == job_id)

    def elements(self, job_id: int) -> list[dict[str, Any]]:
        """Return the elements of a job, in the dialect of PDM clients."""
        return cast(list[dict[str, Any]], self.get(f"/jobs/{job_id}/elements?dialect=pdm").json)

    def _send(self, method: str, path: str, headers: dict[str, str] | None = None, **more: Any) -> TestResponse:
        whole = path if path.startswith(("/site/", "/workqueue/")) else API + path
        return self.client.open(whole, method=method, headers={**self.headers, **(headers or {})}, **more)


class Worker(Person):
    """A worker of Taskyard; with ``transports=None`` a PDM worker."""

    transports: list[str] | None = TRANSPORTS

    def ask(self, limit: int = 20, types: Any = (0, 1, 2, 3, 4), wait: int | None = None, **more: Any) -> TestResponse:
        """Ask for work."""
        body = {"types": list(types), "algorithm": "BY_NUMBER", "algorithm.args": {"limit": limit}, **more}
        if self.transports is not None:
            body.setdefault("transports", self.transports)
        return self.post("/worker/jobs" + ("" if wait is None else f"?wait={wait}"), body)

    def take(self, limit: int = 20, **more: Any) -> list[dict[str, Any]]:
        """Take elements and return them in order, none when there is no work."""
        response = self.ask(limit, **more)
        if response.status_code == 404:
            return []
        assert response.status_code == 200, response.text
        return [element for job in response.get_json() for element in job["elements"]]

    def report(self, element: dict[str, Any], returncode: int = 0, **more: Any) -> TestResponse:
        """Report a result of a taken element."""
        body = {
            "returncode": returncode,
            "host": "node-1",
            "log": "a log\n",
            "timestamp": "2026-01-02T03:04:05",
            **more,
        }
        return self.put(path_of(element), {**body, **more}, headers={"X-Token": element["token"]})

    def progress(self, element: dict[str, Any], transferred: int = 1, **more: Any) -> TestResponse:
        """Report progress of a taken element."""
        body = {"transferred": transferred, "elapsed": 2.0, "instant": 3, "average": 4, **more}
        return self.put(path_of(element) + "/monitoring", body, headers={"X-Token": element["token"]})


class PdmWorker(Worker):
    """A worker that says nothing of transports."""

    transports = None


def path_of(element: dict[str, Any]) -> str:
    """Return the worker's path of a taken element."""
    return f"/worker/jobs/{element['job_id']}/elements/{element['id']}"


def entry(name: str, size: int = 1, mode: int = 0o100644) -> dict[str, Any]:
    """Return an entry of a listing (spec: workqueue 3.5)."""
    rest = dict.fromkeys(("st_uid", "st_gid", "st_atime", "st_mtime", "st_ctime", "st_ino", "st_dev"), 0)
    return {"name": name, "st_mode": mode, "st_nlink": 1, "st_size": size, **rest}


def folder(name: str) -> dict[str, Any]:
    """Return an entry for a directory."""
    return entry(name, 4096, 0o040755)
