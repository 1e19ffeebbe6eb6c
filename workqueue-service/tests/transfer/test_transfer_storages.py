"""What can be done at sites of every kind."""

import errno
import os
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec

from workqueue_service.enums import JobType
from workqueue_service.transfer import renaming
from workqueue_service.transfer.copying import Copier
from workqueue_service.transfer.executor import Executor
from workqueue_service.transfer.outcome import Outcome
from workqueue_service.transfer.work import Bundle

WRITABLE = ("file", "sftp", "s3", "webdav", "ftp")
AWKWARD = [
    "plain",
    "with space",
    "quote'\"`$x",
    "ünïcødé-日本",
    "semi;colon&pipe|",
    "-dash",
    "star*?[x]",
    "back\\slash",
]


def only(outcomes: list[Outcome]) -> Outcome:
    (outcome,) = outcomes
    return outcome


def ended_well(outcomes: list[Outcome]) -> None:
    assert [outcome.log for outcome in outcomes if outcome.error] == []


@pytest.fixture(params=WRITABLE)
def somewhere(request: pytest.FixtureRequest, place: Callable[[str], Any]) -> Any:
    return place(request.param)


@pytest.fixture(params=[kind for kind in WRITABLE if kind != "s3"])
def with_directories(request: pytest.FixtureRequest, place: Callable[[str], Any]) -> Any:
    """A site with real directories; the S3 server of these tests does not take markers in their place."""
    return place(request.param)


def test_lists_a_tree_top_first(somewhere: Any, hands: Any) -> None:
    """Spec: workqueue 3.5."""
    somewhere.put("run1/a.root", b"12345")
    somewhere.put("run1/deep/er/b.root", b"1")
    outcome = only(hands.run(JobType.LIST, somewhere.site, ("/run1",)))
    assert outcome.error is None
    assert outcome.listing is not None
    assert list(outcome.listing) == ["/run1", "/run1/deep", "/run1/deep/er"]
    entries = {entry["name"]: entry for entry in outcome.listing["/run1"]}
    assert (entries["a.root"]["st_size"], entries["a.root"]["st_mode"] & 0o170000) == (5, 0o100000)
    assert entries["deep"]["st_mode"] & 0o170000 == 0o040000
    fields = {"name", "st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_atime", "st_mtime", "st_ctime"}
    assert fields <= entries["a.root"].keys()
    assert all(isinstance(value, int) for name, value in entries["a.root"].items() if name != "name")


@pytest.mark.parametrize(("depth", "levels"), [(0, 1), (1, 1), (2, 2), (-1, 3)])
def test_lists_as_deep_as_asked(depth: int, levels: int, place: Any, hands: Any) -> None:
    """Spec: workqueue 6.6: 0 and 1 both mean one level."""
    here = place("file")
    here.put("a/b/c")
    outcome = only(hands.run(JobType.LIST, here.site, ("/",), depth=depth))
    assert len(outcome.listing) == levels


def test_lists_a_file_under_its_parent(somewhere: Any, hands: Any) -> None:
    somewhere.put("run1/a.root", b"12345")
    somewhere.put("run1/b.root", b"12345")
    outcome = only(hands.run(JobType.LIST, somewhere.site, ("/run1/a.root",)))
    assert {path: [entry["name"] for entry in entries] for path, entries in outcome.listing.items()} == {
        "/run1": ["a.root"]
    }


def test_shows_the_home_as_a_tilde(place: Any, hands: Any) -> None:
    here = place("file")
    here.put("home/ada/x")
    outcome = only(hands.run(JobType.LIST, here.site | {"home": "/home/ada"}, ("/~",)))
    assert list(outcome.listing) == ["~"]


def test_refuses_to_list_what_is_not_there(somewhere: Any, hands: Any) -> None:
    outcome = only(hands.run(JobType.LIST, somewhere.site, ("/nothing",)))
    assert outcome.error is not None
    assert outcome.error.permanent
    assert "No such file or directory" in outcome.log


@pytest.mark.parametrize("source_kind", ["file", "s3"])
def test_copies_into_directories_that_it_makes(source_kind: str, somewhere: Any, place: Any, hands: Any) -> None:
    source = place(source_kind)
    source.put("a/x", b"one")
    source.put("y", b"")
    outcomes = hands.run(JobType.COPY, source.site, ("/a/x", "/new/deep/x", 3), ("/y", "/y2", 0), target=somewhere.site)
    ended_well(outcomes)
    assert somewhere.files() == {"new/deep/x": b"one", "y2": b""}


@pytest.mark.parametrize("kind", ["sftp", "webdav", "ftp", "http"])
def test_copies_from(kind: str, place: Any, hands: Any) -> None:
    source, target = place(kind), place("file")
    content = os.urandom(3_000_000)
    source.put("a/x", content)
    ended_well(hands.run(JobType.COPY, source.site, ("/a/x", "/x", len(content)), target=target.site))
    assert target.files() == {"x": content}


@pytest.mark.parametrize("name", AWKWARD)
def test_names_are_data(name: str, somewhere: Any, place: Any, hands: Any) -> None:
    source = place("file")
    source.put(f"d {name}/{name}", name.encode())
    path = f"/d {name}/{name}"
    ended_well(hands.run(JobType.COPY, source.site, (path, path, 9), target=somewhere.site))
    assert list(somewhere.files().values()) == [name.encode()]
    listed = only(hands.run(JobType.LIST, somewhere.site, ("/",)))
    assert [entry["name"] for entries in listed.listing.values() for entry in entries] == [f"d {name}", name]
    ended_well(hands.run(JobType.REMOVE, somewhere.site, (path,)))
    assert somewhere.files() == {}


def test_refuses_to_overwrite_unless_told(somewhere: Any, place: Any, hands: Any) -> None:
    """Spec: workqueue 6.8, 5."""
    source = place("file")
    source.put("x", b"new")
    somewhere.put("x", b"old")
    outcome = only(hands.run(JobType.COPY, source.site, ("/x", "/x", 3), target=somewhere.site))
    assert outcome.error is not None
    assert outcome.error.permanent
    assert "already exists" in outcome.log
    assert somewhere.files() == {"x": b"old"}
    ended_well(hands.run(JobType.COPY, source.site, ("/x", "/x", 3), target=somewhere.site, overwrite=True))
    assert somewhere.files() == {"x": b"new"}


def test_a_second_attempt_keeps_what_the_first_has_finished(somewhere: Any, place: Any, hands: Any) -> None:
    source = place("file")
    for name in ("same", "other", "missing"):
        source.put(name, b"whole")
    somewhere.put("same", b"whole")
    somewhere.put("other", b"thing")
    elements = [(f"/{name}", f"/{name}", 5) for name in ("same", "other", "missing")]
    outcomes = hands.run(JobType.COPY, source.site, *elements, target=somewhere.site, attempts=1)
    # FTP and WebDAV tell no checksum: there the equal size has to do, so the other content is not noticed.
    blind = somewhere.kind in ("ftp", "webdav")
    assert [outcome.error is None for outcome in outcomes] == [True, blind, True]
    assert "an earlier attempt had already copied it" in outcomes[0].log
    assert somewhere.files() == {"same": b"whole", "other": b"thing", "missing": b"whole"}


def test_removes_files_and_empty_directories(somewhere: Any, hands: Any) -> None:
    somewhere.put("d/x")
    somewhere.put("keep/y")
    ended_well(hands.run(JobType.REMOVE, somewhere.site, ("/d/x",)))
    ended_well(hands.run(JobType.REMOVE, somewhere.site, ("/d/",)))
    assert somewhere.files() == {"keep/y": b"content"}
    if somewhere.kind != "s3":
        assert not (somewhere.path / "d").exists()


def test_does_not_remove_a_directory_that_is_not_empty(with_directories: Any, hands: Any) -> None:
    with_directories.put("d/x")
    outcome = only(hands.run(JobType.REMOVE, with_directories.site, ("/d/",)))
    assert with_directories.files() == {"d/x": b"content"}
    assert outcome.error is not None


def test_removing_what_is_gone_fails_once_only(somewhere: Any, hands: Any) -> None:
    first = only(hands.run(JobType.REMOVE, somewhere.site, ("/gone",)))
    assert first.error is not None
    assert first.error.permanent
    second = only(hands.run(JobType.REMOVE, somewhere.site, ("/gone",), attempts=1))
    assert second.error is None


def test_renames_a_file(somewhere: Any, hands: Any) -> None:
    somewhere.put("a", b"1")
    ended_well(hands.run(JobType.RENAME, somewhere.site, ("/a", "/b/c")))
    assert somewhere.files() == {"b/c": b"1"}


def test_renames_a_directory(somewhere: Any, hands: Any) -> None:
    somewhere.put("a/x", b"1")
    somewhere.put("a/deep/y", b"2")
    ended_well(hands.run(JobType.RENAME, somewhere.site, ("/a", "/b")))
    assert somewhere.files() == {"b/x": b"1", "b/deep/y": b"2"}


def test_does_not_rename_onto_something(somewhere: Any, hands: Any) -> None:
    somewhere.put("a", b"1")
    somewhere.put("b", b"2")
    outcome = only(hands.run(JobType.RENAME, somewhere.site, ("/a", "/b")))
    assert outcome.error is not None
    assert outcome.error.permanent
    assert somewhere.files() == {"a": b"1", "b": b"2"}


def test_a_second_attempt_sees_that_the_first_has_renamed(somewhere: Any, hands: Any) -> None:
    somewhere.put("b", b"1")
    ended_well(hands.run(JobType.RENAME, somewhere.site, ("/a", "/b"), attempts=1))


def test_a_rename_that_was_interrupted_goes_on(place: Any, hands: Any) -> None:
    """S3 copies and deletes one after another; the first attempt ended in between."""
    here = place("s3")
    for name in ("a/moving", "a/deep/left", "b/moving", "b/deep/moved"):
        here.put(name, b"content of " + name.rpartition("/")[2].encode())
    whole = {"b/moving", "b/deep/left", "b/deep/moved"}
    assert only(hands.run(JobType.RENAME, here.site, ("/a", "/b"))).error is not None, "somebody else's directory"
    ended_well(hands.run(JobType.RENAME, here.site, ("/a", "/b"), attempts=1))
    assert set(here.files()) == whole
    here.put("file", b"content of moving")
    ended_well(hands.run(JobType.RENAME, here.site, ("/file", "/b/moving"), attempts=1))
    assert set(here.files()) == whole


def test_a_rename_that_goes_on_replaces_nothing(place: Any, hands: Any) -> None:
    """What differs was not put there by an earlier attempt."""
    here = place("s3")
    files = {"a/x": b"1", "b/x": b"2", "file": b"3"}
    for name, content in files.items():
        here.put(name, content)
    for source, target in (("/a", "/b"), ("/file", "/b/x")):
        outcome = only(hands.run(JobType.RENAME, here.site, (source, target), attempts=1))
        assert outcome.error is not None
        assert outcome.error.permanent
        assert "already exists" in outcome.log
    assert here.files() == files
    here.put("a/free", b"4")
    outcome = only(hands.run(JobType.RENAME, here.site, ("/a", "/b"), attempts=1))
    assert "other files of the same names" in outcome.log
    assert here.files() == files | {"b/free": b"4"}


def test_makes_directories(with_directories: Any, hands: Any) -> None:
    ended_well(hands.run(JobType.MKDIR, with_directories.site, ("/new/dir",)))
    listed = only(hands.run(JobType.LIST, with_directories.site, ("/new",)))
    assert [entry["name"] for entry in listed.listing["/new"]] == ["dir"]


def test_a_directory_that_exists_is_not_made_again(place: Any, hands: Any) -> None:
    here = place("file")
    (here.path / "d").mkdir()
    outcome = only(hands.run(JobType.MKDIR, here.site, ("/d",)))
    assert outcome.error is not None
    assert "already exists" in outcome.log


def test_keeps_empty_directories_of_a_copied_tree(with_directories: Any, place: Any, hands: Any) -> None:
    somewhere = with_directories
    source = place("file")
    (source.path / "empty").mkdir()
    (somewhere.path / "there").mkdir()
    outcomes = hands.run(
        JobType.COPY, source.site, ("/empty/", "/out/empty/"), ("/empty/", "/there/"), target=somewhere.site
    )
    ended_well(outcomes)
    listed = only(hands.run(JobType.LIST, somewhere.site, ("/out",)))
    assert [entry["name"] for entry in listed.listing["/out"]] == ["empty"]


def test_sets_permissions_of_directories_on_this_host(place: Any, hands: Any) -> None:
    here = place("file")
    ended_well(hands.run(JobType.MKDIR, here.site, ("/d",), permissions=0o700))
    assert (here.path / "d").stat().st_mode & 0o777 == 0o700


def test_http_sites_are_read_only(place: Any, hands: Any) -> None:
    here, other = place("http"), place("file")
    other.put("x")
    here.put("y")
    attempts = [
        hands.run(JobType.COPY, other.site, ("/x", "/x", 7), target=here.site),
        hands.run(JobType.REMOVE, here.site, ("/y",)),
        hands.run(JobType.RENAME, here.site, ("/y", "/z")),
        hands.run(JobType.MKDIR, here.site, ("/d",)),
    ]
    for outcomes in attempts:
        assert only(outcomes).error.permanent
        assert "read only" in only(outcomes).log
    assert here.files() == {"y": b"content"}


def test_lists_over_http(place: Any, hands: Any) -> None:
    here = place("http")
    here.put("d/y", b"123")
    outcome = only(hands.run(JobType.LIST, here.site, ("/",)))
    assert list(outcome.listing) == ["/", "/d"]
    assert [entry["st_size"] for entry in outcome.listing["/d"]] == [3]


class TestLogIns:
    """Other ways to get in than a password."""

    def test_a_private_key(self, servers: Any, hands: Any) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        public = key.public_key().public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH).decode()
        here = servers.place("sftp", authorized_key=public)
        here.put("x")
        protection = form.BestAvailableEncryption(b"pass phrase")
        private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.TraditionalOpenSSL, protection).decode()
        credentials = {"username": "ada", "private_key": private, "passphrase": "pass phrase"}
        outcome = only(hands.run(JobType.LIST, here.site | {"credentials": credentials}, ("/",)))
        assert [entry["name"] for entry in outcome.listing["/"]] == ["x"], outcome.log

    def test_a_definition_of_rclone(self, place: Any, hands: Any) -> None:
        here = place("sftp")
        here.put("x")
        _, _, port_and_path = here.site["endpoints"][0].split(":", 2)
        port, _, path = port_and_path.partition("/")
        given = here.site | {"endpoints": [f"rclone::sftp,host=127.0.0.1,port={port}:/{path}"], "transport": "rclone"}
        by_name = only(hands.run(JobType.LIST, given, ("/",)))
        password = here.site["credentials"]["password"]
        by_option = given | {"credentials": {"options": {"user": "ada", "pass": password}}}
        for outcome in (by_name, only(hands.run(JobType.LIST, by_option, ("/",)))):
            assert outcome.error is None, outcome.log
            assert [entry["name"] for entry in outcome.listing["/"]] == ["x"]

    def test_the_login_directory(self, servers: Any, hands: Any) -> None:
        here = servers.place("sftp")
        here.put("x")
        whole = here.site["endpoints"][0].rpartition("/")[0] + "/"
        outcome = only(hands.run(JobType.LIST, here.site | {"endpoints": [whole], "home": None}, ("~",)))
        assert here.path.name in [entry["name"] for entry in outcome.listing["~"]]


@pytest.mark.parametrize("kind", ["s3", "webdav"])
def test_a_copy_within_a_storage_is_made_by_it(
    kind: str, place: Any, hands: Any, rclone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No bytes go through the worker where the storage can copy by itself."""
    monkeypatch.setattr(Executor, "_forget", lambda *_: None)
    here = place(kind)
    here.put("a/x", b"x" * 10_000)
    (kept,) = hands.workqueue.submit(JobType.COPY, here.site, [("/a/x", "/b/y", 10_000)], here.site)
    bundle = Bundle([hands.element(kept)])
    ended_well(hands.bundle(bundle))
    assert here.files() == dict.fromkeys(["a/x", "b/y"], b"x" * 10_000)
    stats = rclone.rc().call("core/stats", {"group": bundle.group})
    assert (stats["serverSideCopies"], stats["serverSideCopyBytes"]) == (1, 10_000)


@pytest.mark.parametrize("options", [{}, {"overwrite": True}])
def test_a_file_that_is_copied_onto_itself_is_still_there(somewhere: Any, hands: Any, options: Any) -> None:
    """Whatever is said of it."""
    somewhere.put("d/x", b"precious" * 1000)
    only(hands.run(JobType.COPY, somewhere.site, ("/d/x", "/d/x", 8000), target=somewhere.site, **options))
    assert somewhere.files() == {"d/x": b"precious" * 1000}


@pytest.mark.parametrize("options", [{}, {"overwrite": True}])
def test_sites_that_overlap(place: Any, hands: Any, options: Any) -> None:
    """The same file by two names."""
    outer = place("file")
    outer.put("d/x", b"precious" * 1000)
    inner = outer.site | {"endpoints": [outer.site["endpoints"][0] + "/d"]}
    only(hands.run(JobType.COPY, outer.site, ("/d/x", "/x", 8000), target=inner, **options))
    assert outer.files() == {"d/x": b"precious" * 1000}


def test_a_directory_is_not_renamed_into_itself(somewhere: Any, hands: Any) -> None:
    somewhere.put("a/x", b"1")
    somewhere.put("a/deep/y", b"2")
    outcome = only(hands.run(JobType.RENAME, somewhere.site, ("/a", "/a/b/c")))
    assert "lies in what is to be renamed" in outcome.log
    assert outcome.error is not None
    assert somewhere.files() == {"a/x": b"1", "a/deep/y": b"2"}


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is seen of what is there, as if it had come after the look."""
    monkeypatch.setattr(Copier, "_look_at_destinations", lambda *_: None)
    monkeypatch.setattr("os.path.lexists", lambda _: False)


@pytest.mark.usefixtures("blind")
@pytest.mark.parametrize(("kind", "size"), [("file", 10), ("file", 3_000_000), ("sftp", 3_000_000), ("webdav", 10)])
def test_what_came_meanwhile_is_not_replaced(kind: str, size: int, place: Any, hands: Any) -> None:
    """Two jobs copy to the same place at the same time: one of them fails, and nothing is lost unseen."""
    source, target = place("file"), place(kind)
    source.put("x", b"a" * size)
    target.put("x", b"b" * size)
    outcome = only(hands.run(JobType.COPY, source.site, ("/x", "/x", size), target=target.site))
    assert "already exists" in outcome.log
    assert target.files() == {"x": b"b" * size}
    assert hands.run(JobType.COPY, source.site, ("/x", "/x", size), target=target.site, overwrite=True)[0].error is None
    assert target.files() == source.files()


@pytest.mark.usefixtures("blind")
def test_a_copy_that_an_earlier_attempt_has_made_after_all(place: Any, hands: Any) -> None:
    source, target = place("file"), place("file")
    source.put("x", b"1")
    target.put("x", b"1")
    outcome = only(hands.run(JobType.COPY, source.site, ("/x", "/x", 1), target=target.site, attempts=1))
    assert outcome.error is None
    assert "an earlier attempt had already copied it" in outcome.log
    assert target.files() == {"x": b"1"}


@pytest.mark.usefixtures("blind")
@pytest.mark.parametrize("unable", [[], [errno.ENOSYS]])
def test_a_rename_replaces_nothing(unable: list[int], place: Any, hands: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the kernel and the file system can do."""
    if unable:
        monkeypatch.setattr(renaming, "_at_once", lambda *_: unable[0])
    here = place("file")
    here.put("a", b"1")
    here.put("b", b"2")
    outcome = only(hands.run(JobType.RENAME, here.site, ("/a", "/b")))
    assert outcome.error is not None
    assert outcome.error.permanent
    assert here.files() == {"a": b"1", "b": b"2"}
    ended_well(hands.run(JobType.RENAME, here.site, ("/a", "/c")))
    assert here.files() == {"b": b"2", "c": b"1"}


@pytest.mark.parametrize("name", ["n" * 250, "é" * 120])
def test_long_names(name: str, somewhere: Any, place: Any, hands: Any) -> None:
    """A name under which a file is written first is no longer than its own."""
    source = place("file")
    source.put(name, b"1")
    ended_well(hands.run(JobType.COPY, source.site, (f"/{name}", f"/{name}", 1), target=somewhere.site))
    assert somewhere.files() == {name: b"1"}
