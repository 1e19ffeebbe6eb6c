"""Hand-out of elements (spec: workqueue 5.1): what is next, to whom, and never to two."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from chassis.database import Database
from chassis.testing.identity import KnownPrincipals
from workqueue_service.container import Container
from workqueue_service.testing import SITE, PdmWorker, Person, Worker, entry

COPY = {"dst_siteid": 1, "dst_filepath": "/copy"}


def places(elements: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """Return job and element of each."""
    return [(element["job_id"], element["id"]) for element in elements]


def tree(worker: Worker, user: Person, names: list[str], **job: Any) -> int:
    """Submit a COPY and have its tree listed: an element for each name."""
    number = user.submit("copy", **{**COPY, **job})
    [element] = worker.take()
    assert worker.report(element, listing={"/data": [entry(name) for name in names]}).status_code == 200
    return number


def test_nothing_to_do(worker: Worker, user: Person, site: int) -> None:
    """spec: workqueue 5.1."""
    answer = worker.ask()
    assert (answer.status_code, answer.json["error"]) == (404, "No work to be done.")
    user.submit()
    assert worker.ask(types=[]).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"types": None},
        {"types": "1"},
        {"types": [5]},
        {"types": ["MOVE"]},
        {"types": [1], "algorithm": "BY_AGE"},
        {"types": [1], "algorithm": 3},
        {"types": [1], "algorithm.args": {"size": 1}},
        {"types": [1], "algorithm.args": {"limit": "many"}},
        {"types": [1], "algorithm.args": []},
        {"types": [1], "algorithm.args": [1]},
        {"types": [1], "algorithm": "BY_SIZE", "algorithm.args": {"limit": 1}},
        {"types": [1], "transports": "file"},
        {"types": [1], "lease": 1},
    ],
)
def test_wrong_requests(worker: Worker, body: dict[str, Any]) -> None:
    """spec: workqueue 5.1."""
    expected = 404 if body.get("algorithm.args") == [] else 400
    answer = worker.post("/worker/jobs", body)
    assert answer.status_code == expected
    if "types" not in body:
        assert answer.json["error"] == "Missing data attributes: ['types']"


def test_the_worker_view(worker: Worker, user: Person, site: int, other_site: int) -> None:
    """spec: workqueue 5.1: numbers for enumerations, texts for credentials, all keys."""
    options = {"overwrite": True, "x": 1}
    job = user.submit("copy", dst_siteid=other_site, dst_filepath="~/x", extra_opts=options, priority=3)
    [answer] = worker.ask(host="node-3").json
    [element] = answer.pop("elements")
    dropped = {name: answer.pop(name) for name in ("log_uid", "timestamp")}
    assert all(dropped.values())
    assert answer == {
        "id": job,
        "user_id": user.id,
        "type": 1,
        "protocol": 0,
        "status": 3,
        "priority": 3,
        "src_siteid": site,
        "dst_siteid": other_site,
        "src_filepath": "/data",
        "dst_filepath": "~/x",
        "extra_opts": options,
        "options": {"overwrite": True},
        "src_credentials": "",
        "dst_credentials": "",
        "src_site": _site(site, "lab"),
        "dst_site": _site(other_site, "store"),
    }
    assert {name: element.pop(name) is not None for name in ("token", "timestamp")} == dict.fromkeys(
        ("token", "timestamp"), True
    )
    assert element == {
        "id": 0,
        "job_id": job,
        "type": 0,
        "status": 3,
        "src_filepath": "/data",
        "dst_filepath": None,
        "listing": None,
        "monitoring_info": None,
        "size": 0,
        "max_tries": 2,
        "attempts": 0,
        "lease": 60.0,
    }
    assert user.job(job)["status"] == "SUBMITTED"


def _site(number: int, name: str) -> dict[str, Any]:
    limits = {"bandwidth": None, "max_transfers": None, "credentials": None}
    where = {"transport": "file", "endpoints": [f"file:///srv/taskyard/{name}"], "home": "/"}
    return {"id": number, "name": name, **where, **limits}


def test_credentials_are_those_of_the_moment(worker: Worker, user: Person, make_site: Callable[..., int]) -> None:
    """spec: workqueue 7.2: fetched at hand-out, not stored with the job."""
    far = make_site("far", endpoints=["sftp://far.example/"], home="/home/{user}", bandwidth=5, max_transfers=3)
    session = f"{SITE}/session/{far}"
    user.post(session, {"username": "ada", "password": "old"})
    user.submit("list", far)
    user.post(session, {"username": "ada", "password": "new", "private_key": "PEM"})
    site = worker.ask().json[0]["src_site"]
    assert site["credentials"] == {"username": "ada", "password": "new", "private_key": "PEM"}
    assert (site["home"], site["bandwidth"], site["max_transfers"]) == (f"/home/{user.id}", 5, 3)


def test_types_are_those_of_jobs(worker: Worker, user: Person, site: int) -> None:
    """spec: workqueue 5.1: whoever asks for COPY also lists for it."""
    user.submit("list")
    copy = user.submit("copy", **COPY)
    [element] = worker.take(types=["copy", "2"])
    assert (element["job_id"], element["type"]) == (copy, 0)


def test_the_order_of_one_user(worker: Worker, user: Person, site: int) -> None:
    """spec: workqueue 5.1: priority, then job, then element; 0 is first (Q21)."""
    first = tree(worker, user, ["a", "b"], priority=5)
    late, urgent = user.submit(priority=9), user.submit(priority=0)
    assert places(worker.take(1)) == [(urgent, 0)]
    answer = worker.ask().json
    assert [job["id"] for job in answer] == [first, late]
    assert places(answer[0]["elements"]) == [(first, 1), (first, 2)]


def test_limits(worker: Worker, user: Person, site: int) -> None:
    """spec: workqueue 5.1."""
    for _ in range(25):
        user.submit()
    assert len(worker.take(0)) == 0
    assert len(worker.take(3)) == 3
    assert len(worker.post("/worker/jobs", {"types": [0], "transports": ["file"]}).json) == 20


def test_by_size(worker: Worker, user: Person, site: int) -> None:
    """spec: workqueue 5.1, Q23: eligible elements alone count, and at least one is handed out."""
    number = user.submit("copy", **COPY)
    [element] = worker.take()
    worker.report(element, listing={"/data": [entry(name, 100) for name in "abcd"] + [entry("big", 10**15)]})

    def take(size: int | None = None) -> list[int]:
        arguments = {} if size is None else {"size": size}
        body = {"types": [1], "algorithm": "by_size", "algorithm.args": arguments, "transports": ["file"]}
        answer = worker.post("/worker/jobs", body)
        return [e["id"] for e in answer.json[0]["elements"]] if answer.status_code == 200 else []

    assert take(50) == [1]
    assert take(250) == [2, 3]
    assert take() == [4]
    assert take() == [5]
    assert take() == []
    assert user.job(number)["num_submitted"] == 5


def test_eight_workers_never_hold_the_same_element(
    app: Flask, known: KnownPrincipals, user: Person, worker: Worker, site: int, make_site: Callable[..., int]
) -> None:
    """DESIGN 6; spec: workqueue 10 Q24."""
    make_site("wide", max_transfers=1000)
    user.submit("copy", 2, dst_siteid=2, dst_filepath="/x")
    [element] = worker.take()
    worker.report(element, listing={"/data": [entry(f"f{n}") for n in range(400)]})
    start = threading.Barrier(8)

    def take_all(number: int) -> list[tuple[int, int]]:
        mine = Worker(app.test_client(use_cookies=False), worker.headers, number)
        start.wait()
        taken: list[tuple[int, int]] = []
        while got := mine.take(7):
            taken += places(got)
        return taken

    with ThreadPoolExecutor(8) as pool:
        taken = [place for result in pool.map(take_all, range(8)) for place in result]
    assert sorted(taken) == [(1, n) for n in range(1, 401)]


def test_users_take_turns(
    worker: Worker, person: Callable[..., Person], site: int, container: Container, database: Database
) -> None:
    """A thousand queued jobs of five users: whoever came last waits for one turn of each other, not for all."""
    people = [person(number) for number in range(11, 16)]
    database.execute(
        """WITH jobs AS (
            INSERT INTO job (user_id, type, protocol, priority, src_siteid, src_filepath)
            SELECT 11 + n / 200, 0, 0, 5, 1, '/x' FROM generate_series(0, 999) n RETURNING id)
        INSERT INTO element (job_id, id, type, src_filepath, max_tries) SELECT id, 0, 0, '/x', 2 FROM jobs"""
    )
    served = []
    for _ in range(50):
        answer = worker.ask(1).json
        served.append(answer[0]["user_id"])
        worker.report(answer[0]["elements"][0], returncode=0, listing={})
    assert all(set(served[start : start + 5]) == {each.id for each in people} for start in range(0, 50, 5))
    assert Counter(job["user_id"] for job in worker.ask(20).json) == dict.fromkeys(range(11, 16), 4)


def test_a_flood_of_urgent_work_starves_nobody(worker: Worker, person: Callable[..., Person], site: int) -> None:
    """Priority orders the work of one user."""
    hasty, patient = person(11), person(12)
    for _ in range(5):
        hasty.submit(priority=0)
    job = patient.submit(priority=9)
    assert job in [element["job_id"] for element in worker.take(2)]


@pytest.mark.parametrize("side", ["src_siteid", "dst_siteid"])
def test_a_site_has_no_more_transfers_than_it_allows(
    worker: Worker, user: Person, site: int, make_site: Callable[..., int], side: str
) -> None:
    """Others go on meanwhile; what ends makes room."""
    narrow = make_site("narrow", max_transfers=2)
    wanted = {"dst_siteid": site, "dst_filepath": "/x", "src_siteid": site, side: narrow}
    busy = [user.submit("copy", **wanted) for _ in range(4)]
    other = user.submit("list", site)
    taken = worker.take()
    assert sorted(element["job_id"] for element in taken) == [*busy[:2], other]
    assert worker.take() == []
    worker.report(taken[0], returncode=1)
    assert len(worker.take()) == 1
    assert worker.take() == []


def test_both_sides_of_copies_count(worker: Worker, user: Person, make_site: Callable[..., int]) -> None:
    """Two jobs of one hand-out that meet at a site count twice there."""
    narrow, wide = make_site("narrow", max_transfers=2), make_site("wide")
    for source, destination in ((narrow, wide), (wide, narrow), (narrow, wide), (narrow, narrow)):
        user.submit("copy", source, dst_siteid=destination, dst_filepath="/x")
    assert len(worker.take()) == 2
    assert worker.take() == []


def test_sites_without_a_limit_have_the_operators(worker: Worker, user: Person, site: int, database: Database) -> None:
    """TASKYARD_WORKQUEUE_SITE_TRANSFERS is 256 by default."""
    tree(worker, user, [f"f{n}" for n in range(270)])
    assert len(worker.take(300)) == 256


def test_an_element_out_is_not_eligible(worker: Worker, user: Person, site: int) -> None:
    """spec: workqueue 5.1."""
    user.submit()
    assert len(worker.take()) == 1
    assert worker.take() == []


def test_leases_of_pdm_workers_cover_all_jobs_of_a_hand_out(
    pdm_worker: PdmWorker, user: Person, make_site: Callable[..., int], database: Database
) -> None:
    """spec: workqueue 5.4: it sends no heartbeats and does its jobs one after another."""
    grid = make_site("grid", endpoints=["grid.example:2811"], login_required=False)
    user.submit("list", grid)
    user.submit("copy", grid, dst_siteid=grid, dst_filepath="/x")
    user.submit("mkdir", grid, priority=0)
    assert len(pdm_worker.take()) == 3
    rows = database.all("SELECT job_id, extract(epoch FROM lease_until - now())::int AS s FROM element ORDER BY s")
    margin = 300
    expected = [(3, margin + 120), (1, margin + 240), (2, margin + 3840)]
    assert [row["job_id"] for row in rows] == [job for job, _ in expected]
    assert all(abs(row["s"] - seconds) < 30 for row, (_, seconds) in zip(rows, expected, strict=True))


def test_waiting_for_work(container: Container, worker: Worker, user: Person, site: int, app: Flask) -> None:
    """A long poll is answered as soon as there is work, by notification and not by asking again."""
    container.listener.start()
    try:
        assert container.listener.wait_until_listening(10)
        mine = Worker(app.test_client(use_cookies=False), worker.headers, 7)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(mine.take, wait=30)
            while not container.bells._waiting:
                pass
            job = user.submit()
            assert places(waiting.result(timeout=10)) == [(job, 0)]
    finally:
        container.listener.stop(5)


def test_waiting_ends(worker: Worker) -> None:
    """After the time that the worker gives, and at once when it is too long."""
    assert worker.ask(wait=1).status_code == 404
    assert worker.ask(wait=51).status_code == 400


def test_waiting_ends_with_the_process(container: Container, worker: Worker) -> None:
    """SIGTERM does not wait for workers without work."""
    container.bells.close()
    assert worker.ask(wait=50).status_code == 404


def test_a_waiting_worker_gets_what_backs_off_in_time(
    app: Flask, container: Container, worker: Worker, user: Person, site: int, database: Database
) -> None:
    """A pause between attempts needs no notification to end."""
    user.submit()
    worker.report(worker.take()[0], returncode=1)
    database.execute("UPDATE element SET not_before = now() + interval '0.3 seconds'")
    assert worker.take() == []
    assert len(worker.take(wait=30)) == 1
