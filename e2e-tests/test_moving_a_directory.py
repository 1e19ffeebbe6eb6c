"""The how-to that moves a directory from S3 to SFTP, typed into a shell line by line as it stands there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import requests
from actors import Person
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis.testing.waiting import eventually
from embedded.ports import free_port
from workqueue_service.transfer.testing_storages import Place, Servers

pytestmark = [
    pytest.mark.embedded,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="needs curl and jq"),
]

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "move-a-directory.md"
TREE = {"a.root": b"a" * 1000, "deep/er/b 'ü'.root": b"b" * 2000}


@pytest.fixture
def archive(servers: Servers) -> Place:
    """A bucket with a directory in it."""
    place = servers.place("s3")
    for name, content in TREE.items():
        place.put(f"2026/run1/{name}", content)
    return place


@pytest.fixture
def key(tmp_path: Path) -> Ed25519PrivateKey:
    """The key in ``~/.ssh/transfer``, in the form that ssh-keygen gives it."""
    key = Ed25519PrivateKey.generate()
    (tmp_path / ".ssh").mkdir()
    text = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.OpenSSH, form.NoEncryption())
    (tmp_path / ".ssh" / "transfer").write_bytes(text)
    return key


@pytest.fixture
def cluster(servers: Servers, key: Ed25519PrivateKey) -> Place:
    """A directory behind an SFTP server that knows the key."""
    public = key.public_key().public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH).decode()
    return servers.place("sftp", authorized_key=public)


@pytest.fixture
def script(gate: str, admin: Person, archive: Place, cluster: Place, tmp_path: Path) -> str:
    """The commands of the page, with the addresses and log-ins of this test."""
    text = "".join(re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL))
    bucket, sftp = archive.site["endpoints"][0], cluster.site["endpoints"][0]
    credentials = archive.site["credentials"]
    changes = {
        "http://127.0.0.1:8080": gate,
        "s3://runs/2026?endpoint=https://s3.example.org&region=eu-1": bucket.replace("?", "/2026?"),
        "sftp://login.example.org:22/scratch": sftp,
        "ACCESSKEYID": credentials["username"],
        "the secret key": credentials["password"],
        "TASKYARD_PORT=9200": f"TASKYARD_PORT={free_port()}",
        "python -m": f"exec {sys.executable} -m",
    }
    for written, here in changes.items():
        assert written in text, written
        text = text.replace(written, here)
    jar = f'curl -sS -c jar $GATE/login -d \'{{"username": "{admin.username}", "password": "{admin.password}"}}\'\n'
    return text.replace("SITE=", jar + "SITE=", 1)


def test_the_page_does_what_it_says(script: str, archive: Place, cluster: Place, tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "TASKYARD_WORKQUEUE_NETWORKS": "127.0.0.0/8"}
    moving, more = script[: script.index("WORKER=")], script[script.index("WORKER=") :]
    run = subprocess.run(
        ["bash", "-u", "-c", moving], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200
    )
    assert run.stderr == ""
    assert '"status":"DONE"' in run.stdout.replace(" ", ""), run.stdout
    assert "event: end" in run.stdout
    assert cluster.files() == {f"incoming/run1/{name}": content for name, content in TREE.items()}
    eventually(lambda: archive.files() == {}, 30)
    head = script[: script.index("ARCHIVE=")]
    port = re.findall(r"TASKYARD_PORT=(\d+)", more)[0]
    said = tmp_path / "said"
    with (
        said.open("wb") as output,
        subprocess.Popen(["bash", "-u", "-c", head + more], cwd=tmp_path, env=environment, stdout=output) as shell,
    ):
        try:
            eventually(lambda: ready(port), 120)
        finally:
            for process in [*psutil.Process(shell.pid).children(recursive=True), psutil.Process(shell.pid)]:
                process.terminate()
    assert '"worker_id"' in said.read_text()
    assert "work_not_fetched" not in said.read_text()


def ready(port: str) -> bool:
    """Whether the second transfer worker has reached the workqueue through the gate."""
    try:
        return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200
    except requests.ConnectionError:
        return False
