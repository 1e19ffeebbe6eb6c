"""From a listing to elements (spec: workqueue 5.6)."""

import gc
import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pytest

from chassis.database import Database
from workqueue_service.testing import PdmWorker, Person, Worker, entry, folder, path_of

LINK = 0o120777
COPY = {"dst_siteid": 1, "dst_filepath": "/copy"}
Plan = list[tuple[str, str | None, int]]


@pytest.fixture
def expand(user: Person, worker: Worker, site: int) -> Callable[..., Plan]:
    """Submit a job, report its listing and return source, destination and size of the elements that follow."""

    def run(kind: str, listing: dict[str, Any], **body: Any) -> Plan:
        job = user.submit(kind, **{**COPY, **body})
        [element] = worker.take()
        assert worker.report(element, listing=listing).status_code == 200
        rest = user.elements(job)[1:]
        assert [each["id"] for each in rest] == list(range(1, len(rest) + 1))
        assert {each["type"] for each in rest} <= {kind.upper()}
        assert {(each["status"], each["attempts"]) for each in rest} <= {("NEW", 0)}
        return [(each["src_filepath"], each["dst_filepath"], each["size"]) for each in rest]

    return run


def test_a_file_is_copied_to_the_very_destination(expand: Callable[..., Plan]) -> None:
    """spec: workqueue 5.6: the key is the parent of the source."""
    plan = expand("copy", {"/data": [entry("a.root", 7)]}, src_filepath="/data/a.root", dst_filepath="~/b//c.root/")
    assert plan == [("/data/a.root", "~/b/c.root", 7)]


def test_a_directory_is_copied_with_its_contents_alone(expand: Callable[..., Plan]) -> None:
    """spec: workqueue 5.6: shortest directory first, entries as listed, links and specials left out."""
    listing = {
        "/data/sub/deep": [entry("z")],
        "/data": [entry("b", 2), folder("sub"), entry("a", "3"), entry("link", 1, LINK), folder("empty")],
        "/data/sub": [folder("deep"), entry("c")],
        "/data/empty": [],
    }
    assert expand("copy", listing, src_filepath="/data/", dst_filepath="/x") == [
        ("/data/b", "/x/b", 2),
        ("/data/a", "/x/a", 3),
        ("/data/sub/c", "/x/sub/c", 1),
        ("/data/empty/", "/x/empty/", 0),
        ("/data/sub/deep/z", "/x/sub/deep/z", 1),
    ]


@pytest.mark.parametrize(
    ("source", "key", "destination", "plan"),
    [
        ("/~/dir", "~/dir", "~", [("~/dir/f", "~/f", 1)]),
        ("dir", "~/dir", "copy", [("~/dir/f", "~/copy/f", 1)]),
        ("//a//b/", "/a/b", "/", [("/a/b/f", "/f", 1)]),
        ("/", "/", "/x", [("/f", "/x/f", 1)]),
        ("~", "~", "/x", [("~/f", "/x/f", 1)]),
        ("/a", "/a/", "/x", [("/a/f", "/x/f", 1)]),
    ],
)
def test_spellings_of_paths(expand: Callable[..., Plan], source: str, key: str, destination: str, plan: Plan) -> None:
    """spec: workqueue 5.6, defects; 4.2.1."""
    assert expand("copy", {key: [entry("f")]}, src_filepath=source, dst_filepath=destination) == plan


ODD = [
    " ",
    "a b",
    "ü",
    "日本",
    "'",
    '"',
    "`id`",
    "$(id)",
    ";rm -rf",
    "-rf",
    "*",
    "?",
    "#",
    "%2e%2e",
    "\\",
    "\t",
    "&",
    "|",
    "~",
]


def test_names_are_data(expand: Callable[..., Plan]) -> None:
    """spec: workqueue 5.6, 10 Q33: no pattern on generated paths."""
    plan = expand("copy", {"/data": [entry(name) for name in ODD]})
    assert plan == [(f"/data/{name}", f"/copy/{name}", 1) for name in ODD]


def test_what_is_left_out_is_said_in_the_log(expand: Callable[..., Plan], user: Person) -> None:
    """spec: workqueue 10 Q34."""
    assert expand("copy", {"/data": [entry("l", 1, LINK), entry("pipe", 0, 0o010644)]}) == [("/data/", "/copy/", 0)]
    log = user.get("/jobs/1/elements/0/output").json["log"]
    assert log.endswith("a log\nSkipped: 2 entries that are neither files nor directories\n")


def test_empty_trees(expand: Callable[..., Plan], user: Person, worker: Worker) -> None:
    """spec: workqueue 5.5, 5.6: no job hangs on them."""
    assert expand("copy", {}) == []
    assert expand("remove", {}) == []
    assert [user.job(number)["status"] for number in (1, 2)] == ["DONE", "DONE"]
    assert expand("copy", {"/data": []}) == [("/data/", "/copy/", 0)]


def test_a_removal_goes_from_the_bottom_up(expand: Callable[..., Plan], worker: Worker, user: Person) -> None:
    """spec: workqueue 5.6, Q35: a directory is handed out when everything in it is gone."""
    listing = {
        "/data": [folder("sub"), entry("b", 2)],
        "/data/sub": [folder("deep"), entry("c"), entry("l", 9, LINK)],
        "/data/sub/deep": [entry("z")],
    }
    plan = expand("remove", listing)
    assert [source for source, _, _ in plan] == [
        "/data/sub/deep/z",
        "/data/sub/c",
        "/data/sub/l",
        "/data/sub/deep/",
        "/data/b",
        "/data/sub/",
        "/data/",
    ]
    assert plan[-1] == ("/data/", None, 0)
    rounds = []
    while taken := worker.take():
        rounds.append({element["src_filepath"] for element in taken})
        for element in taken:
            worker.report(element)
    first = {"/data/sub/deep/z", "/data/sub/c", "/data/sub/l", "/data/b"}
    assert rounds == [first, {"/data/sub/deep/"}, {"/data/sub/"}, {"/data/"}]
    assert user.job(1)["status"] == "DONE"


@pytest.mark.parametrize(("source", "key"), [("/", "/"), ("~", "~"), ("/~/", "~")])
def test_the_root_of_a_site_stays(expand: Callable[..., Plan], source: str, key: str) -> None:
    """Removing everything does not remove the place itself."""
    assert [path for path, _, _ in expand("remove", {key: [entry("a")]}, src_filepath=source)] == [
        f"{key.rstrip('/')}/a"
    ]


def test_removing_one_file(expand: Callable[..., Plan]) -> None:
    """spec: workqueue 5.6: one element."""
    assert expand("remove", {"/data": [entry("a", 5)]}, src_filepath="/data/a") == [("/data/a", None, 5)]


def test_what_cannot_be_removed_ends_what_holds_it(expand: Callable[..., Plan], worker: Worker, user: Person) -> None:
    """Every element ends, with a reason, and a retry begins where it stopped."""
    expand("remove", {"/data": [folder("sub")], "/data/sub": [entry("a"), entry("b")]}, max_tries=1)
    bad, good = worker.take()
    worker.report(bad, returncode=1)
    worker.report(good)
    assert worker.take() == []
    job = user.job(1)
    assert (job["status"], job["num_failed"], job["num_new"]) == ("FAILED", 3, 0)
    reasons = [element.get("reason") for element in user.elements(1)[3:]]
    assert reasons == ["Not tried: something in this directory could not be removed"] * 2
    assert user.elements(1)[3]["attempts"] == 0

    user.post("/jobs/1/retry")
    for expected in ("/data/sub/a", "/data/sub/", "/data/"):
        [element] = worker.take()
        assert element["src_filepath"] == expected
        worker.report(element)
    assert user.job(1)["status"] == "DONE"


def test_a_rename_is_one_element(expand: Callable[..., Plan]) -> None:
    """spec: workqueue 5.6."""
    listing = {"/data": [entry("a"), folder("b")], "/data/b": [entry("\n")]}
    assert expand("rename", listing, dst_filepath="/new/") == [("/data", "/new", 0)]


@pytest.mark.parametrize("kind", ["list", "mkdir"])
def test_other_jobs_have_one_element(user: Person, worker: Worker, site: int, kind: str) -> None:
    """spec: workqueue 5.6."""
    job = user.submit(kind)
    worker.report(worker.take()[0], listing={"/data": [entry("a"), entry("b\nc")]})
    assert len(user.elements(job)) == 1
    assert user.job(job)["status"] == "DONE"


def test_elements_inherit_the_tries(expand: Callable[..., Plan], user: Person, worker: Worker) -> None:
    """spec: workqueue 5.6; the attempts of the LIST do not count against them."""
    job = user.submit("copy", **COPY, max_tries=3)
    worker.report(worker.take()[0], returncode=1)
    worker.report(worker.take()[0], listing={"/data": [entry("a")]})
    assert [element["max_tries"] for element in user.elements(job)] == [3, 3]


@pytest.mark.parametrize("kind", ["copy", "remove"])
@pytest.mark.parametrize(
    ("listing", "reason"),
    [
        ({"/data": [entry("a\nb")]}, "the name 'a\\nb' has a line break or slash in it, or is none"),
        ({"/data": [entry("a\rb")]}, "line break"),
        ({"/data": [entry("..")]}, "the name '..'"),
        ({"/data": [entry("")]}, "the name ''"),
        ({"/data": [entry("a/../../b")]}, "slash"),
        ({"/data": [], "/data/a\nb": []}, "the directory '/data/a\\nb'"),
        ({"/data": [], "/data/../../etc": [entry("shadow")]}, "the directory '/data/../../etc'"),
        ({"/data": [], "/database": [entry("a")]}, "the directory '/database' does not lie in '/data'"),
        ({"/data": [], "~/x/y/z": [entry("a")]}, "does not lie in '/data'"),
    ],
)
def test_trees_that_no_job_can_carry(
    user: Person, worker: Worker, site: int, kind: str, listing: dict[str, Any], reason: str
) -> None:
    """A readable end instead of a job that hangs, or of a path that leads elsewhere."""
    job = user.submit(kind, **COPY)
    assert worker.report(worker.take()[0], listing=listing).status_code == 200
    assert worker.take() == []
    found = user.job(job)
    assert (found["status"], found["num_elements"]) == ("FAILED", 1)
    log = user.get(f"/jobs/{job}/elements/0/output").json["log"]
    assert "Refused: " in log
    assert reason in log


@pytest.mark.parametrize(
    "listing",
    [
        [],
        "text",
        3,
        {"/data": {}},
        {"/data": None},
        {"/data": ["a"]},
        {"/data": [{"name": "a", "st_mode": 33188}]},
        {"/data": [{"name": "a", "st_size": 1}]},
        {"/data": [{"st_mode": 33188, "st_size": 1}]},
        {"/data": [{**entry("a"), "st_size": "x"}]},
        {"/data": [{**entry("a"), "st_size": -1}]},
        {"/data": [{**entry("a"), "st_mode": 2**40}]},
        {"/data": [{**entry("a"), "name": 7}]},
        {"/data": [entry("a\0b")]},
        {"/data": [{**entry("a"), "more": "\0"}]},
        {"/da\0ta": []},
    ],
)
def test_listings_that_are_none(user: Person, worker: Worker, site: int, listing: Any) -> None:
    """spec: workqueue 5.6, defects: 400, nothing changed, and a right one can follow."""
    job = user.submit("copy", **COPY)
    [element] = worker.take()
    good = {"/data": [entry("first")]}
    assert (
        worker.report(element, listing={**good, **listing} if isinstance(listing, dict) else listing).status_code == 400
    )
    found = user.job(job)
    assert (found["status"], found["num_elements"]) == ("SUBMITTED", 1)
    assert worker.report(element, listing=good).status_code == 200
    assert len(user.elements(job)) == 2


def test_pdm_sites_get_no_empty_directories(user: Person, pdm_worker: PdmWorker, make_site: Callable[..., int]) -> None:
    """spec: workqueue 10 Q34: a PDM worker cannot make them in a COPY."""
    grid = make_site("grid", endpoints=["grid.example:2811"], login_required=False)
    job = user.submit("copy", grid, dst_siteid=grid, dst_filepath="/x")
    pdm_worker.report(pdm_worker.take()[0], listing={"/data": [folder("e"), entry("a")], "/data/e": []})
    assert [element["src_filepath"] for element in user.elements(job)[1:]] == ["/data/a"]


def upload(worker: Worker, element: dict[str, Any], part: int, lines: list[Any], **headers: str) -> Any:
    """Upload a part of a listing."""
    body = b"\n".join(orjson.dumps(line) for line in lines)
    path = f"{path_of(element)}/listing?part={part}"
    return worker.put(path, data=body, headers={"X-Token": element["token"], **headers})


def test_a_listing_in_parts(user: Person, worker: Worker, site: int) -> None:
    """Parts may be repeated, a directory may be spread over them."""
    job = user.submit("copy", **COPY)
    [element] = worker.take()
    assert upload(worker, element, 0, [{"path": "/data", "entries": [entry("wrong")]}]).status_code == 200
    upload(worker, element, 1, [{"path": "/data", "entries": [entry("wrong too")]}])
    upload(
        worker,
        element,
        0,
        [{"path": "/data", "entries": [entry("a"), folder("e")]}, {"path": "/data/e", "entries": []}],
    )
    for _ in range(2):
        answer = upload(worker, element, 1, [{"path": "/data", "entries": [entry("b")]}])
        assert (answer.status_code, answer.data) == (200, b"")
    assert worker.report(element, listing="uploaded").status_code == 200
    assert [e["src_filepath"] for e in user.elements(job)[1:]] == ["/data/a", "/data/b", "/data/e/"]
    assert user.get(f"/jobs/{job}/elements/0").json["listing"] == [{"/data": ["a", "e", "b"], "/data/e": []}]


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"path": "/x"}', b'{"entries": []}', b'{"path": 1, "entries": []}'])
def test_wrong_parts(user: Person, worker: Worker, site: int, body: bytes) -> None:
    """400, and the part that stood there before still does."""
    user.submit()
    [element] = worker.take()
    upload(worker, element, 0, [{"path": "/data", "entries": [entry("a")]}])
    answer = worker.put(f"{path_of(element)}/listing", data=body, headers={"X-Token": element["token"]})
    assert answer.status_code == 400
    worker.report(element, listing="uploaded")
    assert user.elements(1)[0]["listing"] == {"/data": [entry("a")]}


def test_parts_need_a_valid_hand_out(user: Person, worker: Worker, site: int) -> None:
    """As reports do."""
    user.submit()
    [element] = worker.take()
    worker.report(element, listing={"/data": [entry("a")]})
    assert upload(worker, element, 0, []).status_code == 403
    assert user.elements(1)[0]["listing"] == {"/data": [entry("a")]}


DIRECTORIES, FILES = 100, 1_000


def big_listing() -> Iterator[bytes]:
    """Return a tree of 100,000 files, a line for each directory."""
    yield orjson.dumps({"path": "/data", "entries": [folder(f"d{d}") for d in range(DIRECTORIES)]}) + b"\n"
    for d in range(DIRECTORIES):
        entries = [entry(f"file {n}.root", n) for n in range(FILES)]
        yield orjson.dumps({"path": f"/data/d{d}", "entries": entries}) + b"\n"


def megabytes(name: str) -> float:
    """Return a figure of this process from the kernel: VmRSS now, VmHWM at its highest."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


@contextmanager
def growing_at_most(limit: float) -> Iterator[None]:
    """Make sure that the process never holds more than ``limit`` MB above what it holds now."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before = megabytes("VmRSS")
    yield
    assert megabytes("VmHWM") - before < limit


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is measured with Linux's figures")
@pytest.mark.parametrize("kind", ["copy", "remove"])
def test_a_tree_of_100_000_files(user: Person, worker: Worker, site: int, database: Database, kind: str) -> None:
    """The tree passes through in pieces: of its 17 MB, or 150 MB as objects, a few are in memory at a time."""
    job = user.submit(kind, **COPY)
    [element] = worker.take()
    size, lines = 0, big_listing()
    with growing_at_most(40):
        for part in range(DIRECTORIES // 10 + 1):
            body = b"".join(islice(lines, 10))
            size += len(body)
            path = f"{path_of(element)}/listing?part={part}"
            assert worker.put(path, data=body, headers={"X-Token": element["token"]}).status_code == 200
        assert worker.report(element, listing="uploaded").status_code == 200
    assert size > 15_000_000
    found = user.job(job)
    expected = DIRECTORIES * FILES + (DIRECTORIES + 1 if kind == "remove" else 0)
    assert (found["num_elements"], found["status"]) == (expected + 1, "SUBMITTED")
    assert len(worker.take(limit=32)) == 32
    middle = database.one("SELECT src_filepath, size FROM element WHERE id = %s", [random.randint(1, 90_000)])
    assert middle is not None
    assert middle["src_filepath"].endswith(f"/file {middle['size']}.root")


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is measured with Linux's figures")
def test_an_inline_listing_is_held_once(user: Person, worker: Worker, site: int) -> None:
    """What a PDM worker sends in one body is parsed once; storing and expanding it add little."""
    user.submit("copy", **COPY)
    [element] = worker.take()
    listing = {"/data": [], **{f"/data/d{d}": [entry(f"f{n}") for n in range(500)] for d in range(40)}}
    body = orjson.dumps({"returncode": 0, "host": "h", "log": "", "timestamp": "t", "listing": listing})
    # 20,000 entries of ten keys are 3 MB of text and 10 MB of objects.
    with growing_at_most(40):
        assert worker.put(path_of(element), data=body, headers={"X-Token": element["token"]}).status_code == 200
    assert user.job(1)["num_elements"] == 20_002
