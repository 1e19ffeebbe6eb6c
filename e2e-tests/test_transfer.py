"""Files really move, through the gate, by the house's own transfer worker."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from actors import Person

from chassis.testing.waiting import eventually
from embedded.house import House

QUEUE = "/workqueue/api/v1.0"
SITES = "/site/api/v1.0"
SMALL_FILES = 200


def checksums(directory: Path) -> dict[str, str]:
    """Return the checksum of every file below a directory."""
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in directory.rglob("*")
        if path.is_file()
    }


def register_site(person: Person, directory: Path, name: str) -> int:
    """Make a directory a site and log in there; return the site's id."""
    directory.mkdir(parents=True)
    made = person.post(f"{SITES}/site", {"site_name": name, "endpoints": [f"file://{directory}"]})
    assert made.status_code == 200, made.text
    return int(made.json())


def done(person: Person, job: int) -> str | None:
    """Return the status of a job once it has ended."""
    status = person.get(f"{QUEUE}/jobs/{job}/status").json()["status"]
    return status if status in ("DONE", "FAILED") else None


@pytest.fixture
def files(house: House) -> Path:
    """Where sites may lie."""
    return house.data / "files"


def submit(person: Person, kind: str, **body: Any) -> int:
    """Submit a job and return its id."""
    answer = person.post(f"{QUEUE}/{kind}", body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "SUBMITTED"
    return int(answer.json()["id"])


def test_a_tree_is_copied_checked_and_removed(gate: str, files: Path) -> None:
    person = Person.register(gate)
    source, target = files / person.username / "source", files / person.username / "target"
    sites = [register_site(person, place, f"{person.username} {place.name}") for place in (source, target)]
    for number in range(SMALL_FILES):
        path = source / "run 1" / f"part {number % 7}" / f"file 'ü' {number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(1000 + number))
    (source / "run 1" / "big").write_bytes(os.urandom(20_000_000))
    wanted = checksums(source / "run 1")
    copy = submit(
        person, "copy", src_siteid=sites[0], src_filepath="/run 1", dst_siteid=sites[1], dst_filepath="/incoming/run 1"
    )
    assert eventually(lambda: done(person, copy), 90) == "DONE", person.get(f"{QUEUE}/jobs/{copy}/output").text
    assert checksums(target / "incoming" / "run 1") == wanted
    remove = submit(person, "remove", src_siteid=sites[0], src_filepath="/run 1")
    assert eventually(lambda: done(person, remove), 60) == "DONE"
    assert checksums(source) == {}


def test_the_jobs_of_others_are_nobodys_business(gate: str, files: Path) -> None:
    owner, stranger = Person.register(gate), Person.register(gate)
    site = register_site(owner, files / owner.username, owner.username)
    job = submit(owner, "list", src_siteid=site, src_filepath="/")
    assert stranger.get(f"{QUEUE}/jobs/{job}").status_code in (403, 404)
    assert eventually(lambda: done(owner, job), 60) == "DONE"


def test_a_site_lies_where_the_operator_allows_it(gate: str) -> None:
    refusal = Person.register(gate).post(f"{SITES}/site", {"site_name": "root", "endpoints": ["file:///etc"]})
    assert refusal.status_code == 400
