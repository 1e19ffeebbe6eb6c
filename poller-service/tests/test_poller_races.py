"""Who wins when many ask at once, and who waits (spec: poller 4)."""

import time
from collections import Counter
from typing import Any

import pytest

from chassis.database import Database
from poller_service.container import Container


def test_twelve_claimers_share_five_hundred_jobs(
    new_poller: Any, database: Database, meanwhile: Any, sent: Any
) -> None:
    database.execute("INSERT INTO job (user_name, configuration) SELECT 'ada', '{}' FROM generate_series(1, 500)")
    made = [row["job_id"] for row in database.all("SELECT job_id FROM job")]

    def claim_all() -> list[int]:
        poller, claimed = new_poller(), []
        while job := poller.post(request="next", claim=1)[1]:
            claimed.append(job["job_id"])
        return claimed

    with meanwhile(claim_all, times=12) as results:
        pass
    claimed = Counter(job_id for result in results for job_id in result)
    assert set(claimed) == set(made)
    assert set(claimed.values()) == {1}
    assert all(result == sorted(result) for result in results)
    assert sorted(event["job_id"] for event in sent("poller.job.status_changed")) == sorted(made)


def test_one_of_many_changes_a_status_and_the_others_see_it(new_poller: Any, meanwhile: Any, sent: Any) -> None:
    job_id = new_poller().create()
    with meanwhile(lambda: new_poller().post(request="in_progress", job_id=job_id), times=6) as answers:
        pass
    assert [(status, job["status"]) for status, job in answers] == [(200, "in_progress")] * 6
    assert len({job["updated_at"] for _, job in answers}) == 1
    assert len(sent("poller.job.status_changed")) == 1


def test_complete_and_failed_race_and_one_wins(new_poller: Any, meanwhile: Any) -> None:
    job_id = new_poller().create()
    wanted = iter(["complete", "failed"] * 3)
    with meanwhile(lambda: new_poller().post(request=next(wanted), job_id=job_id), times=6) as answers:
        pass
    assert sorted(status for status, _ in answers) == [200] * 3 + [400] * 3


def test_all_and_claims_do_not_deadlock(new_poller: Any, database: Database, meanwhile: Any, sent: Any) -> None:
    database.execute("INSERT INTO job (user_name, configuration) SELECT 'ada', '{}' FROM generate_series(1, 50)")
    turns = iter(["new", "failed", "claim", "new", "complete", "claim", "new", "failed"])

    def one_turn() -> int:
        turn, poller = next(turns), new_poller()
        fields = {"request": "next", "claim": 1} if turn == "claim" else {"request": "all", "status": turn}
        return int(poller.post(**fields)[0])

    with meanwhile(one_turn, times=8) as statuses:
        pass
    assert statuses == [200] * 8
    last = {event["job_id"]: event for event in sent("poller.job.status_changed")}
    rows = {row["job_id"]: row for row in database.all("SELECT * FROM job WHERE version > 1")}
    assert {n: (row["status"], row["version"]) for n, row in rows.items()} == {
        n: (event["status"], event["version"]) for n, event in last.items()
    }


def test_a_waiting_poller_hears_of_a_job_within_a_tenth_of_a_second(
    listening: Container, new_poller: Any, meanwhile: Any, eventually: Any
) -> None:
    """The best of a few, because the machine that runs this may have other things to do."""
    delays = []

    def wait() -> tuple[int, float]:
        job = new_poller().get(request="next", wait=30)[1]
        return job["job_id"], time.monotonic()

    for _ in range(5):
        with meanwhile(wait) as heard:
            eventually(lambda: len(listening.arrivals))
            job_id = new_poller().create()
            created = time.monotonic()
        assert heard[0][0] == job_id
        delays.append(heard[0][1] - created)
        new_poller().move(job_id, "complete")
    assert min(delays) < 0.1


def test_each_waiter_hears_of_its_own_user(
    listening: Container, new_poller: Any, meanwhile: Any, eventually: Any
) -> None:
    with meanwhile(lambda: new_poller().get(request="next", wait=30, user="bob")) as heard:
        eventually(lambda: len(listening.arrivals))
        new_poller().create("ada")
        job_id = new_poller().create("bob")
    assert heard[0][1]["job_id"] == job_id


@pytest.mark.parametrize("user", [{}, {"user": "ada"}])
def test_a_job_that_becomes_new_again_is_heard_of(
    listening: Container, new_poller: Any, meanwhile: Any, eventually: Any, user: dict[str, str]
) -> None:
    job_id = new_poller().create()
    new_poller().move(job_id, "failed")
    with meanwhile(lambda: new_poller().get(request="next", wait=30)) as heard:
        eventually(lambda: len(listening.arrivals))
        new_poller().post(request="all", status="new", **user)
    assert heard[0][1]["job_id"] == job_id


def test_what_happened_while_the_listener_was_cut_off_is_found(
    listening: Container, new_poller: Any, meanwhile: Any, eventually: Any, database: Database
) -> None:
    """Nobody announces this job; the listener's return must make the waiting look again."""
    with meanwhile(lambda: new_poller().get(request="next", wait=30)) as heard:
        eventually(lambda: len(listening.arrivals))
        database.execute("INSERT INTO job (user_name, configuration) VALUES ('ada', '{}')")
        listeners = (
            "FROM pg_stat_activity WHERE application_name = 'taskyard-poller-listener' AND datname = current_database()"
        )
        assert database.value(f"SELECT pg_terminate_backend(pid) {listeners}")
    assert heard[0][1]["user"] == "ada"


def test_waiting_ends_with_an_empty_object(new_poller: Any, container: Container) -> None:
    started = time.monotonic()
    assert new_poller().get(request="next", wait="0.2") == (200, {})
    assert 0.2 <= time.monotonic() - started < 10
    assert len(container.arrivals) == 0


def test_who_waits_is_answered_at_once_when_the_process_ends(
    container: Container, new_poller: Any, meanwhile: Any, eventually: Any
) -> None:
    with meanwhile(lambda: (new_poller().get(request="next", wait=60), time.monotonic()), times=3) as heard:
        eventually(lambda: len(container.arrivals) == 3)
        ended = time.monotonic()
        container.arrivals.close()
    assert [answer for answer, _ in heard] == [(200, {})] * 3
    assert max(answered for _, answered in heard) - ended < 5
    assert new_poller().get(request="next", wait=60) == (200, {})


def test_a_job_that_is_there_is_given_at_once(new_poller: Any) -> None:
    job_id = new_poller().create()
    started = time.monotonic()
    assert new_poller().get(request="next", wait=60)[1]["job_id"] == job_id
    assert time.monotonic() - started < 10


def test_waiting_holds_no_connection(listening: Container, new_poller: Any, meanwhile: Any, eventually: Any) -> None:
    """Twenty wait, eight connections are there, and others are still served."""
    with meanwhile(lambda: new_poller().get(request="next", wait=30), times=20) as heard:
        eventually(lambda: len(listening.arrivals) == 20)
        new_poller().create()
    assert len({job["job_id"] for _, job in heard}) == 1
