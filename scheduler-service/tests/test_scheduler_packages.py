"""Packages that are refused, and code that is switched off (spec: scheduler 5.2)."""

import io
import zipfile
from typing import Any

import pytest

from chassis.identity import Identity
from scheduler_service.app import make_app
from scheduler_service.container import assemble

PYTHON = "b5b1a4f0-6a9d-4e0c-8f57-2f1d7f0c3a11"


def bomb(name: str = "main.py", size: int = 3, count: int = 1, encrypted: bool = False) -> tuple[io.BytesIO, str]:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(count):
            entry = zipfile.ZipInfo(name.replace("#", str(number)))
            archive.writestr(entry, b"0" * size, zipfile.ZIP_DEFLATED)
    raw = bytearray(content.getvalue())
    if encrypted:
        raw[raw.rindex(b"PK\x01\x02") + 8] |= 1
    return io.BytesIO(bytes(raw)), "main.zip"


@pytest.mark.parametrize(
    ("package", "reason"),
    [
        (lambda: bomb("../main.py"), "Package holds a path that leads out of it."),
        (lambda: bomb("/main.py"), "Package holds a path that leads out of it."),
        (lambda: bomb("a\\..\\..\\main.py"), "Package holds a path that leads out of it."),
        (lambda: bomb(size=49 * 2**20), "Package is too large, at most 5000 files of 50331648 bytes are accepted."),
        (lambda: bomb("#", 0, 5001), "Package is too large, at most 5000 files of 50331648 bytes are accepted."),
        (lambda: bomb(encrypted=True), "Package is encrypted."),
        (lambda: (io.BytesIO(b"PK\x03\x04 no zip"), "main.zip"), "Package is not a valid ZIP package."),
        (lambda: (io.BytesIO(b""), "main.zip"), "Package is not a valid ZIP package."),
        (
            lambda: (io.BytesIO(b"0" * (32 * 2**20 + 1)), "main.zip"),
            "Package is too large, at most 33554432 bytes are accepted.",
        ),
    ],
)
def test_packages_that_are_dangerous_are_refused(client: Any, package: Any, reason: str) -> None:
    data = {"code": '{"source": "package"}', "runtime_id": PYTHON, "package": package()}
    status, answer = client.post("/v1/functions", data=data)
    assert (status, answer["faultstring"]) == (400, reason)


@pytest.mark.parametrize("code", ['{"source": "package"}', '{"source": "image", "image": "i"}'])
def test_code_can_be_switched_off(known: Any, database: Any, settings: Any, code: str) -> None:
    """Whoever tries to make such a function hears of it at once; other sources go on."""
    off = settings.model_copy(update={"scheduler_runner": "off"})
    app = make_app(assemble(off, database, Identity(known, known, session_cookie="tt")))
    with app.test_client(use_cookies=False) as plain:
        headers = known.add_account(3, "ada")
        data = {"code": code, "runtime_id": PYTHON, "package": bomb()}
        refused = plain.post("/v1/functions", data=data, headers=headers)
        assert (refused.status_code, refused.get_json()["faultstring"]) == (
            403,
            "Running code is switched off in this system.",
        )
        body = {"code": {"source": "poller", "user": "ada", "config": {}}}
        assert plain.post("/v1/functions", json=body, headers=headers).status_code == 201
