"""Files really move, through the gate, by the house's own transfer worker."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from actors import Person
from share import SITES, Share

from chassis.testing.waiting import eventually

QUEUE = "/workqueue/api/v1.0"
SMALL_FILES = 200


def checksums(directory: Path) -> dict[str, str]:
    """Return the checksum of every file below a directory."""
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in directory.rglob("*")
        if path.is_file()
    }


def done(person: Person, job: int) -> str | None:
    """Return the status of a job once it has ended."""
    status = person.get(f"{QUEUE}/jobs/{job}/status").json()["status"]
    return status if status in ("DONE", "FAILED") else None


def submit(person: Person, kind: str, **body: Any) -> int:
    """Submit a job and return its id."""
    answer = person.post(f"{QUEUE}/{kind}", body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "SUBMITTED"
    return int(answer.json()["id"])


def fill(directory: Path) -> None:
    """Write many small files and a big one, which the transfer workers may remove."""
    for number in range(SMALL_FILES):
        path = directory / f"part {number % 7}" / f"file 'ü' {number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(1000 + number))
    (directory / "big").write_bytes(os.urandom(20_000_000))
    for folder in (directory, *directory.glob("part *")):
        folder.chmod(0o777)


def test_a_tree_is_copied_checked_and_removed(gate: str, share: Share) -> None:
    person = Person.register(gate)
    source, target = (share.site(person, f"{person.username}/{name}") for name in ("source", "target"))
    fill(source.path / "run 1")
    wanted = checksums(source.path / "run 1")
    copy = submit(
        person, "copy", src_siteid=source.id, src_filepath="/run 1", dst_siteid=target.id, dst_filepath="/in/run 1"
    )
    assert eventually(lambda: done(person, copy), 90) == "DONE", person.get(f"{QUEUE}/jobs/{copy}/output").text
    assert checksums(target.path / "in" / "run 1") == wanted
    remove = submit(person, "remove", src_siteid=source.id, src_filepath="/run 1")
    assert eventually(lambda: done(person, remove), 60) == "DONE"
    assert checksums(source.path) == {}


def test_the_jobs_of_others_are_nobodys_business(gate: str, share: Share) -> None:
    owner, stranger = Person.register(gate), Person.register(gate)
    site = share.site(owner, f"{owner.username}/own")
    job = submit(owner, "list", src_siteid=site.id, src_filepath="/")
    assert stranger.get(f"{QUEUE}/jobs/{job}").status_code in (403, 404)
    assert eventually(lambda: done(owner, job), 60) == "DONE"


@pytest.mark.parametrize(
    "endpoint",
    [
        "file:///etc",
        "http://169.254.169.254/latest/meta-data/",
        "sftp://10.0.0.1/",
        "ftp://[::1]/",
        "webdav://192.168.1.1/",
        "s3://bucket?endpoint=http://172.16.0.1:9000",
    ],
)
def test_a_site_lies_where_the_operator_allows_it(gate: str, endpoint: str) -> None:
    refusal = Person.register(gate).post(f"{SITES}/site", {"site_name": "root", "endpoints": [endpoint]})
    assert refusal.status_code == 400
    assert "operator allows" in refusal.json()["error"]
