"""Each part of the house is killed while files move, or the disk is full: nothing is lost, half or stuck.

Every element ends DONE or FAILED with a reason that a person can read, no half file stands under its final name, and
each attempt has its log.
"""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from actors import Person
from share import Share, Site

from chassis.testing.waiting import eventually
from embedded.house import House

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(300)]

QUEUE = "/workqueue/api/v1.0"
BIG = 24_000_000
SLOW = 4_000_000
"""Bytes per second of the big file; rclone lets the first 4 MiB pass at once."""
SMALL_FILES = 40


@pytest.fixture
def sites(person: Person, share: Share) -> list[Site]:
    """Where files come from and go to."""
    return [share.site(person, f"{person.username}/{name}") for name in ("source", "target")]


@pytest.fixture
def copying(person: Person, sites: list[Site]) -> int:
    """A job that copies many small files and a big one, slowly; some bytes of the big one have arrived."""
    source, target = sites
    tree = source.path / "tree"
    tree.mkdir()
    for number in range(SMALL_FILES):
        (tree / f"file {number}").write_bytes(os.urandom(1_000 + number))
    (tree / "big").write_bytes(os.urandom(BIG))
    job = submit(
        person, "copy", source, "/tree", dst_siteid=target.id, dst_filepath="/tree", max_tries=4,
        extra_opts={"bandwidth": SLOW},
    )  # fmt: skip
    eventually(lambda: big(person, job) and transferred(big(person, job)) > 0, 120)
    assert not (target.path / "tree" / "big").exists()
    return job


def submit(person: Person, kind: str, site: Site, path: str, **body: Any) -> int:
    """Submit a job and return its id."""
    answer = person.post(f"{QUEUE}/{kind}", {"src_siteid": site.id, "src_filepath": path, **body})
    assert answer.status_code == 200, answer.text
    return int(answer.json()["id"])


def elements(person: Person, job: int) -> list[dict[str, Any]]:
    """Return the elements of a job."""
    return list(
        person.get(f"{QUEUE}/jobs/{job}/elements?fields=id,src_filepath,status,attempts,monitoring_info").json()
    )


def big(person: Person, job: int) -> dict[str, Any]:
    """Return the element of the big file, ``{}`` while there is none."""
    return next((each for each in elements(person, job) if each["src_filepath"].endswith("/big")), {})


def transferred(element: dict[str, Any]) -> int:
    """Return how many bytes of a file the worker has told of."""
    return int((element["monitoring_info"] or {}).get("transferred", 0))


def ended(person: Person, job: int) -> str | None:
    """Return the status of a job once it has ended; nobody answers while a part of the house is down."""
    try:
        answer = person.get(f"{QUEUE}/jobs/{job}/status")
    except requests.ConnectionError:
        return None
    if answer.status_code in (502, 503, 504):
        return None
    status = str(answer.json()["status"])
    # FAILED is not final as long as an element has tries left (spec: workqueue 5.5).
    return status if status == "DONE" or (status == "FAILED" and not tries_left(person, job)) else None


def tries_left(person: Person, job: int) -> bool:
    """Whether something of a job will be tried again."""
    found = person.get(f"{QUEUE}/jobs/{job}/elements?fields=status,attempts,max_tries,reason").json()
    return any(each["status"] != "DONE" and each["attempts"] < each["max_tries"] for each in found)


def contents(directory: Path) -> dict[str, bytes]:
    """Return what is in all files of a tree, unfinished ones included."""
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def has_true_attempts(person: Person, job: int) -> None:
    """Make sure that every attempt has a log of its own, and that all but the last failed with a reason."""
    outputs = person.get(f"{QUEUE}/jobs/{job}/output?view=all").json()
    found = elements(person, job)
    assert [len(attempts) for attempts in outputs] == [each["attempts"] for each in found]
    for attempts in outputs:
        assert [each["attempt"] for each in attempts] == list(range(1, len(attempts) + 1))
        assert [each["status"] for each in attempts] == ["FAILED"] * (len(attempts) - 1) + ["DONE"]
        assert all(len(each["log"].splitlines()) >= 2 for each in attempts)


def kill_rclone(house: House) -> None:
    """Kill the rclone of the transfer worker."""
    children = psutil.Process(house.processes["workqueue-transfer"]).children(recursive=True)
    (rclone,) = [child for child in children if "rclone" in child.name()]
    rclone.send_signal(signal.SIGKILL)


VICTIMS: dict[str, Callable[[House], None]] = {
    name: lambda house, name=name: house.kill(name)  # type: ignore[misc]
    for name in ("workqueue-api", "workqueue-transfer", "workqueue-worker", "gate", "postgres")
} | {"rclone": kill_rclone}


TRIES = {"workqueue-transfer": {2}, "rclone": {2}, "postgres": {1, 2}}


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_killed_part_costs_nothing_but_time(
    house: House, person: Person, sites: list[Site], copying: int, victim: str
) -> None:
    source, target = sites
    VICTIMS[victim](house)
    assert eventually(lambda: ended(person, copying), 180) == "DONE", elements(person, copying)
    assert contents(target.path) == contents(source.path)
    has_true_attempts(person, copying)
    # The worker that copies went on, unless it was hit itself, or its lease ran out before the database was back.
    attempts = big(person, copying)["attempts"]
    assert attempts in TRIES.get(victim, {1})
    house.wait_all_ready()


def test_a_cancelled_copy_leaves_no_file_and_goes_on_when_it_is_tried_again(
    person: Person, sites: list[Site], copying: int
) -> None:
    source, target = sites
    answer = person.post(f"{QUEUE}/jobs/{copying}/cancel")
    assert (answer.status_code, answer.json()["status"], answer.json()["cancelled"]) == (200, "FAILED", True)
    assert person.post(f"{QUEUE}/jobs/{copying}/cancel").status_code == 200
    eventually(lambda: not [name for name in contents(target.path) if "big" in name], 30)
    assert "Cancelled by its user" in person.get(f"{QUEUE}/jobs/{copying}/output").text
    again = person.post(f"{QUEUE}/jobs/{copying}/retry")
    assert (again.status_code, again.json()["status"]) == (200, "SUBMITTED")
    assert eventually(lambda: ended(person, copying), 120) == "DONE"
    assert contents(target.path) == contents(source.path)


def test_progress_is_told_as_it_happens(person: Person, copying: int) -> None:
    """Server-sent events through the gate, until the job ends."""
    heard: list[tuple[str, dict[str, Any]]] = []
    url = f"{person.gate}{QUEUE}/jobs/{copying}/events"
    # Not the person's own session: it checks whole answers.
    with requests.get(url, cookies=person.session.cookies.get_dict(), stream=True, timeout=30) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        kind = ""
        for line in answer.iter_lines(decode_unicode=True):
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: "):
                heard.append((kind, json.loads(line.removeprefix("data: "))))
                if len(heard) == 1:
                    # It is told while the file moves, not when all is over.
                    assert big(person, copying)["status"] == "RUNNING"
    assert heard[0][0] == "status"
    assert (heard[-1][0], heard[-1][1]["status"]) == ("end", "DONE")
    moved = [data["transferred"] for name, data in heard if name == "progress" and data["size"] == BIG]
    assert len(set(moved)) > 1
    assert moved == sorted(moved)


@pytest.fixture
def small_disk(sites: list[Site]) -> Iterator[Path]:
    """A file system of 3 MB at the target; skipped where this user may not mount one."""
    disk = sites[1].path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m,mode=777", "none", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root may mount a small file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_ends_with_a_reason_and_without_half_a_file(
    person: Person, sites: list[Site], small_disk: Path
) -> None:
    source, target = sites
    (source.path / "tree").mkdir()
    (source.path / "tree" / "big").write_bytes(os.urandom(5_000_000))
    (source.path / "tree" / "small").write_bytes(b"small")
    job = submit(person, "copy", source, "/tree", dst_siteid=target.id, dst_filepath="/disk")
    assert eventually(lambda: ended(person, job), 120) == "FAILED"
    assert contents(small_disk) == {"small": b"small"}
    failed = big(person, job)
    assert (failed["status"], failed["attempts"]) == ("FAILED", 2)
    log = person.get(f"{QUEUE}/jobs/{job}/elements/{failed['id']}/output").json()["log"]
    assert "disk space" in log


BLOWS = ("workqueue-api", "rclone", "workqueue-transfer", "workqueue-api", "workqueue-worker", "rclone")


def test_a_tree_survives_blow_after_blow(house: House, person: Person, sites: list[Site]) -> None:
    """Small files in bundles: hand-outs, reports and listings are cut off in their middle."""
    source, target = sites
    for number in range(1_500):
        path = source.path / "tree" / f"{number % 30}" / f"file {number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(2_000 + number))
    job = submit(person, "copy", source, "/tree", dst_siteid=target.id, dst_filepath="/tree", max_tries=10)

    def copied() -> int:
        return sum(path.is_file() for path in target.path.rglob("*"))

    for number, victim in enumerate(BLOWS):
        eventually(lambda: copied() > number * 1_500 // len(BLOWS) or ended(person, job), 120)  # noqa: B023
        VICTIMS[victim](house)
    assert eventually(lambda: ended(person, job), 120) == "DONE", elements(person, job)
    assert contents(target.path) == contents(source.path)
    has_true_attempts(person, job)
    house.wait_all_ready()
