"""How the worker takes, bundles and reports work."""

import threading
from typing import Any

import orjson
import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from workqueue_service.enums import JobStatus, JobType
from workqueue_service.transfer.entries import of_rclone
from workqueue_service.transfer.errors import PermanentError
from workqueue_service.transfer.outcome import Outcome
from workqueue_service.transfer.reporter import Reporter
from workqueue_service.transfer.service import HttpWorkqueue, Refused, Unreachable
from workqueue_service.transfer.testing import MemoryWorkqueue, site
from workqueue_service.transfer.work import Element, Job, Site
from workqueue_service.transfer.worker import Pace, TransferWorker, bundles_of

HERE = site("file:///srv/a")
SMALL, LARGE = 1000, 50_000_000


def sizes(workqueue: MemoryWorkqueue, slots: int = 8) -> list[int]:
    """Return how many elements are in each bundle of all that is queued."""
    return [len(bundle.elements) for bundle in bundles_of(workqueue.ask(10_000, 0, 60), slots)]


def test_small_files_go_together_but_over_all_slots(workqueue: MemoryWorkqueue) -> None:
    workqueue.submit(JobType.COPY, HERE, [(f"/{n}", f"/{n}", SMALL) for n in range(1000)], HERE)
    found = sizes(workqueue)
    assert sum(found) == 1000
    assert max(found) <= 64
    workqueue.submit(JobType.COPY, HERE, [(f"/{n}", f"/{n}", SMALL) for n in range(80)], HERE)
    assert sizes(workqueue) == [10] * 8


def test_large_files_and_other_work_go_alone(workqueue: MemoryWorkqueue) -> None:
    elements = [("/a", "/a", LARGE), ("/b", "/b", SMALL), ("/c", "/c", SMALL), ("/d/", "/d/", 0), ("/e", "/e", LARGE)]
    workqueue.submit(JobType.COPY, HERE, elements, HERE)
    workqueue.submit(JobType.LIST, HERE, [("/",), ("/x",)])
    assert sizes(workqueue) == [1, 2, 1, 1, 1, 1]


def test_jobs_are_not_mixed(workqueue: MemoryWorkqueue) -> None:
    for _ in range(3):
        workqueue.submit(JobType.REMOVE, HERE, [("/x",), ("/y",)])
    assert sizes(workqueue) == [2, 2, 2]


def test_a_worker_takes_what_it_can_do_soon(
    workqueue: MemoryWorkqueue, transfer_worker: TransferWorker, place: Any
) -> None:
    here = place("file")
    for number in range(400):
        here.put(f"{number}")
    kept = workqueue.submit(JobType.REMOVE, here.site, [(f"/{number}",) for number in range(400)])
    workqueue.wait(kept)
    assert {each.status for each in kept} == {JobStatus.DONE}
    assert here.files() == {}


def test_does_not_hoard_what_takes_long(
    workqueue: MemoryWorkqueue, transfer_worker: TransferWorker, place: Any
) -> None:
    """Neither at first nor when all slots have come to an end together: other workers have slots as well."""
    source, target = place("file"), place("file")
    for number in range(40):
        source.put(f"{number}", bytes(7_000_000))
    elements = [(f"/{number}", f"/{number}", 7_000_000) for number in range(40)]
    kept = workqueue.submit(JobType.COPY, source.site, elements, target.site, bandwidth=1_500_000)
    workqueue.wait(kept[:8])
    workqueue.wait_for_progress(kept[9])
    assert workqueue.held <= 16


def test_the_pace_is_of_late() -> None:
    pace = Pace(slots=8, window=1000)
    assert pace.rate() == 0
    pace.add(10, 4.0)
    pace.add(20, 2.0)
    assert pace.rate() == 8 * 30 / 6


def test_the_pace_forgets() -> None:
    pace = Pace(slots=8, window=-1)
    pace.add(10, 1.0)
    assert pace.rate() == 0


def test_dummy_jobs_touch_nothing(workqueue: MemoryWorkqueue, transfer_worker: TransferWorker) -> None:
    """Spec: workqueue 6.5, 10 Q36."""
    kept = [
        *workqueue.submit(JobType.LIST, None, [("/a",)]),
        *workqueue.submit(JobType.COPY, None, [("/a", "/b", 1)]),
        *workqueue.submit(JobType.MKDIR, None, [("/a",)]),
    ]
    workqueue.wait(kept)
    assert [each.status for each in kept] == [JobStatus.DONE] * 3
    assert kept[0].listing == [("/a", [])]


def test_time_outs_grow_with_the_file() -> None:
    """Spec: workqueue 6.8, 6, 10 Q38: each file has its own."""

    def seconds(kind: JobType, size: int, **options: Any) -> float:
        job = Job(1, kind, options, None, None, "/")
        return Element(job, 1, kind, "/a", "/b", size, 2, 1, "token").seconds()

    assert seconds(JobType.LIST, 0) == 120
    assert seconds(JobType.COPY, 0) == 3600
    assert seconds(JobType.COPY, 10**10) == 3600 + 10**4
    assert seconds(JobType.COPY, 10**10, timeout=5) == 5


def test_the_bandwidth_of_a_site_is_shared() -> None:
    assert Site.of(site("file:///", bandwidth=1000, max_transfers=4)).bandwidth == 250
    assert Site.of(site("file:///", bandwidth=1000)).bandwidth == 1000
    assert Site.of(site("file:///")).bandwidth is None


def test_entries_of_storages_without_modes_are_made_up() -> None:
    """Spec: workqueue 3.5."""
    item = {"Name": "x", "Size": -1, "ModTime": "2026-01-02T03:04:05.123456789Z", "IsDir": False}
    entry = of_rclone(item).json()
    assert (entry["st_mode"], entry["st_nlink"], entry["st_uid"], entry["st_size"]) == (33188, 1, 0, 0)
    assert entry["st_mtime"] == 1767323045
    assert of_rclone(item | {"IsDir": True}).json()["st_mode"] == 16877


class Answers:
    """A server that gives prepared answers and keeps what it was asked."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.answers: list[tuple[int, Any]] = []

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        self.requests.append((request.full_path, dict(request.headers), request.get_data()))
        status, body = self.answers.pop(0)
        return Response(orjson.dumps(body), status)(environ, start_response)


@pytest.fixture
def answers() -> Any:
    """The server's answers."""
    return Answers()


@pytest.fixture
def http(answers: Answers) -> Any:
    """A client of it."""
    server = make_server("127.0.0.1", 0, answers, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    client = HttpWorkqueue(f"http://127.0.0.1:{server.server_port}/", lambda: {"X-Worker-ID": "7"})
    yield client
    client.close()
    server.shutdown()
    server.server_close()
    thread.join(10)


def test_asks_for_work(http: HttpWorkqueue, answers: Answers) -> None:
    answers.answers = [(404, {"message": "No work to be done."}), (200, [{"id": 1}])]
    assert http.ask(5, 3.0, 60.0) == []
    assert http.ask(5, 3.0, 60.0) == [{"id": 1}]
    path, headers, body = answers.requests[0]
    assert path == "/workqueue/api/v1.0/worker/jobs?wait=3"
    assert headers["X-Worker-Id"] == "7"
    asked = orjson.loads(body)
    assert asked["algorithm.args"] == {"limit": 5}
    assert asked["types"] == [0, 1, 2, 3, 4]
    assert "sftp" in asked["transports"]


@pytest.mark.parametrize(
    ("status", "error"), [(500, Unreachable), (503, Unreachable), (429, Unreachable), (403, Refused)]
)
def test_tells_trouble_from_refusal(status: int, error: type[Exception], http: HttpWorkqueue, answers: Answers) -> None:
    answers.answers = [(status, {"message": "because"})]
    with pytest.raises(error):
        http.report([])


def test_nobody_listens() -> None:
    client = HttpWorkqueue("http://127.0.0.1:9", dict)
    with pytest.raises(Unreachable):
        client.monitor([])


def an_outcome(workqueue: MemoryWorkqueue, **more: Any) -> Outcome:
    (kept,) = workqueue.submit(JobType.LIST, HERE, [("/",)])
    workqueue.ask(1, 0, 60)
    return Outcome(Element.of(Job.of(kept.job), kept.given), "log\n", **more)


class Picky(MemoryWorkqueue):
    """Refuses a call in which something is wrong as a whole, as a service may."""

    def report(self, reports: Any) -> Any:
        if any(report.get("listing") == {"bad": []} for report in reports):
            raise Refused(400, "a listing is bad")
        return super().report(reports)


def test_one_bad_report_does_not_hold_up_others() -> None:
    workqueue = Picky()
    reporter = Reporter(workqueue)
    outcomes = [an_outcome(workqueue, listing={"bad": []}), an_outcome(workqueue, listing={"/": []})]
    for outcome in outcomes:
        reporter.add(outcome)
    reporter.start()
    reporter.stop(10)
    bad, good = workqueue._elements.values()
    assert good.status is JobStatus.DONE
    assert bad.permanent
    assert "a listing is bad" in bad.log


def test_says_which_errors_last(workqueue: MemoryWorkqueue) -> None:
    reporter = Reporter(workqueue)
    reporter.add(an_outcome(workqueue, error=PermanentError("never")))
    reporter.start()
    reporter.stop(10)
    (kept,) = workqueue._elements.values()
    (report,) = kept.reports
    assert (report["returncode"], report["permanent"], report["attempt"]) == (1, True, 1)
