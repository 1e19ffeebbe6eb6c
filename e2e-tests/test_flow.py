"""One schedule feeds all queues: a piece of work goes through the whole house, over either broker.

A cron job fires and submits a task; a worker leases it, writes its result at a site and closes it; a transfer moves the
result to another site; the poller hears of it. Each thing happens once, and each event is sent once.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from actors import Machine, Person, unique
from share import Share
from vhost import own_vhost
from watch import watching

from chassis.events import Event
from chassis.testing.waiting import eventually
from embedded import postgres
from embedded.house import House

pytestmark = pytest.mark.timeout(600)

EVERY_MINUTE = "* * * * *"
NEVER = "0 0 1 1 *"
JOBS = "/workqueue/api/v1.0/jobs"


class Flow:
    """One piece of work and what is known of it by its unique name."""

    def __init__(self, admin: Person, share: Share) -> None:
        self.admin = admin
        self.name = unique("flow")
        self.project = admin.create_project(public=True)
        self.source, self.target = (share.site(admin, f"{self.name}/{place}") for place in ("made", "kept"))

    def fire(self) -> str:
        """Let the next minute submit the task."""
        task = {"project": self.project, "recipe": self.name, "max_retries": 1, "max_assign_time": 600}
        return self.admin.job(EVERY_MINUTE, {"source": "task", **task}, count=1)

    def work(self) -> None:
        """Lease the task when it comes, write its result, close it; there is no other."""
        worker = Machine.create(self.admin.gate)
        answer = eventually(lambda: self._leased(worker), 120)
        assert answer["recipe"] == self.name
        (self.source.path / "result").write_text(self.name)
        assert worker.release(answer["id"]) is True
        assert worker.task(self.project) is None

    def _leased(self, worker: Machine) -> dict[str, str] | None:
        answer = worker.get(f"/task/get/{self.project}?wait=20").json()
        return answer["content"]["task"] if answer["ok"] else None

    def move(self) -> int:
        """Move the result to the other site and return the id of the file job."""
        sites = {"src_siteid": self.source.id, "dst_siteid": self.target.id}
        paths = {"src_filepath": "/result", "dst_filepath": f"/{self.name}"}
        self._run({"source": "transfer", "type": "COPY", **sites, **paths})
        (job,) = eventually(lambda: [job for job in self._file_jobs() if job["status"] == "DONE"], 120)
        assert (self.target.path / self.name).read_text() == self.name
        return int(job["id"])

    def _file_jobs(self) -> list[dict[str, str]]:
        jobs = self.admin.get(JOBS).json()
        return [job for job in jobs if job["src_siteid"] == self.source.id]

    def tell(self) -> str:
        """Tell the poller and return the id of its job."""
        self._run({"source": "poller", "user": self.name, "config": {"kept": self.name}})
        (job,) = eventually(lambda: self.admin.get(f"/poller/update/?request=new&user={self.name}").json(), 60)
        assert job["kept"] == self.name
        return str(job["job_id"])

    def _run(self, code: dict[str, object]) -> None:
        job = self.admin.job(NEVER, code)
        self.admin.scheduler("POST", f"/jobs/{job}/run")
        assert eventually(lambda: self.admin.ended_run(job), 60)["status"] == "success"

    def whole(self) -> None:
        """Go through all of it."""
        fired = self.fire()
        self.work()
        assert eventually(lambda: self.admin.ended_run(fired), 60)["status"] == "success"
        self.move()
        self.tell()


def test_a_piece_of_work_goes_through_every_queue(admin: Person, share: Share) -> None:
    Flow(admin, share).whole()


@pytest.fixture
def rabbit_house(amqp_url: str, data_directory: Path) -> Iterator[House]:
    """A whole house on RabbitMQ."""
    directory = Path(tempfile.mkdtemp(dir=data_directory))
    postgres.own(directory)
    with own_vhost(amqp_url) as url, House(directory / "rabbit", amqp_url=url, start_timeout=180) as house:
        yield house


@pytest.fixture(params=["house", "rabbit_house"])
def watched(request: pytest.FixtureRequest) -> Iterator[tuple[Flow, list[Event]]]:
    """A piece of work for a house on either broker, and every event of that house from now on."""
    house: House = request.getfixturevalue(request.param)
    files = house.data / "files"
    admin = request.getfixturevalue("admin") if request.param == "house" else Person.register(house.url, "admin")
    with watching(house.env("auth")["TASKYARD_AMQP_URL"]) as seen:
        yield Flow(admin, Share(files, str(files))), seen


@pytest.mark.embedded
def test_every_event_of_it_is_told_once(watched: tuple[Flow, list[Event]]) -> None:
    """A message may come again (a queue that was just made is filled with what came before it), an event does not."""
    flow, seen = watched
    flow.whole()
    eventually(lambda: {"workqueue.job.finished", "tracker.tasks.closed", "poller.job.created"} <= types(seen), 60)
    counted = Counter({event.id: event.type for event in seen}.values())
    once = ("workqueue.job.submitted", "workqueue.job.finished", "poller.job.created", "tracker.tasks.closed")
    assert {type_: counted[type_] for type_ in once} == dict.fromkeys(once, 1)


def types(seen: list[Event]) -> set[str]:
    """Return the types of the events seen so far."""
    return {event.type for event in seen}
