"""Nothing in a path, an endpoint or a file system leads out of a site (spec: workqueue 4.2.1)."""

import os
from pathlib import Path
from typing import Any

import pytest

from workqueue_service.enums import JobType
from workqueue_service.transfer import paths
from workqueue_service.transfer.definitions import Remotes, parse
from workqueue_service.transfer.endpoints import Host, endpoint
from workqueue_service.transfer.errors import PermanentError
from workqueue_service.transfer.sites import Sites
from workqueue_service.transfer.testing import site
from workqueue_service.transfer.work import Bundle, Site


@pytest.mark.parametrize(
    ("written", "tidy"),
    [
        ("/a//b/./c/", "/a/b/c"),
        ("/", "/"),
        ("~", "~"),
        ("/~", "~"),
        ("/~/a", "~/a"),
        ("~/", "~"),
        ("somefile", "~/somefile"),
        ("~name/a", "~name/a"),
        ("/~name", "/~name"),
        ("/a/../b", "/b"),
        ("/ leading and trailing ", "/ leading and trailing "),
        ("/*/$(x)/`y`", "/*/$(x)/`y`"),
    ],
)
def test_paths_have_one_spelling(written: str, tidy: str) -> None:
    assert paths.tidy(written) == tidy


@pytest.mark.parametrize("path", ["", "..", "/..", "~/..", "/a/../..", "/a\nb", "/a\rb", "/a\0b", "a/../../b"])
def test_paths_that_lead_out_are_refused(path: str) -> None:
    with pytest.raises(PermanentError):
        paths.tidy(path)


@pytest.mark.parametrize(
    ("path", "parts"),
    [("/a/b", ("/a", "b")), ("/a", ("/", "a")), ("/", ("/", "")), ("~", ("~", "")), ("~/a", ("~", "a"))],
)
def test_a_path_has_a_parent(path: str, parts: tuple[str, str]) -> None:
    assert paths.parent(path) == parts


@pytest.mark.parametrize(
    "definition",
    [
        ":local:/etc",
        ":alias,remote=/etc:",
        ":crypt,remote=/etc:",
        ":union,upstreams=/etc:",
        ":sftp,host=h,ssh='sh -c id':/",
        ":sftp,host=h,key_file=/root/.ssh/id_rsa:/",
        ":webdav,bearer_token_command=id:",
        ":s3,env_auth=true:bucket",
        ":s3,shared_credentials_file=/root/.aws/credentials:bucket",
        ":sftp,override.metadata_mapper=id:/",
        ":sftp,global.log_file=/etc/passwd:/",
        "operator:",
        ":sftp,host='unclosed:/",
        "",
    ],
)
def test_definitions_that_reach_this_host_are_refused(definition: str) -> None:
    with pytest.raises(PermanentError):
        endpoint(f"rclone:{definition}", {}, Host())


def test_options_that_reach_this_host_are_refused_in_a_log_in_as_well() -> None:
    with pytest.raises(PermanentError):
        endpoint("rclone::sftp,host=h:/", {"options": {"key_file": "/etc/shadow"}}, Host())


def test_definitions_are_taken_apart() -> None:
    assert parse(""":s3,provider=Minio,endpoint="http://h:9000",region='a,''b':bucket/x:y""") == {
        "type": "s3",
        "provider": "Minio",
        "endpoint": "http://h:9000",
        "region": "a,'b",
        "_root": "bucket/x:y",
    }


def test_the_operators_own_remotes_are_used_by_name(tmp_path: Path) -> None:
    config = tmp_path / "rclone.conf"
    config.write_text("[store]\ntype = sftp\nhost = h\npass = obscured\n")
    found = endpoint("rclone:store:/data", {}, Host(remotes=Remotes(config)))
    assert (found.options, found.root, found.obscured) == (
        {"type": "sftp", "host": "h", "pass": "obscured"},
        "/data",
        True,
    )


def test_directories_that_the_operator_does_not_allow_are_refused(rclone: Any, tmp_path: Path) -> None:
    allowed = tmp_path / "allowed"
    (allowed / "in").mkdir(parents=True)
    (allowed / "out").symlink_to("/etc")
    sites = Sites(rclone, Host(directories=(allowed,)))

    def storage_of(path: Path) -> object:
        return sites.storage(Site.of(site(f"file://{path}")), Bundle([]))

    storage_of(allowed / "in")
    for elsewhere in (allowed / "out", tmp_path, allowed.with_name("allowed2"), Path("/etc")):
        with pytest.raises(PermanentError):
            storage_of(elsewhere)


class TestLinks:
    """A link inside the site is shown, may be removed and replaced, but is never a way out."""

    @pytest.fixture
    def secret(self, tmp_path: Path) -> Path:
        secret = tmp_path / "outside" / "secret"
        secret.parent.mkdir()
        secret.write_text("secret")
        return secret

    @pytest.fixture
    def here(self, place: Any, secret: Path) -> Any:
        here = place("file")
        (here.path / "out").symlink_to(secret.parent)
        (here.path / "file-out").symlink_to(secret)
        return here

    def test_are_listed_not_followed(self, here: Any, hands: Any) -> None:
        (outcome,) = hands.run(JobType.LIST, here.site, ("/",))
        assert list(outcome.listing) == ["/"]
        modes = {entry["name"]: entry["st_mode"] & 0o170000 for entry in outcome.listing["/"]}
        assert modes == {"out": 0o120000, "file-out": 0o120000}
        assert "2 links and special files are listed, but never copied" in outcome.log

    @pytest.mark.parametrize("path", ["/out/secret", "/file-out", "/out"])
    def test_are_not_read_through(self, path: str, here: Any, place: Any, hands: Any) -> None:
        target = place("file")
        (outcome,) = hands.run(JobType.COPY, here.site, (path, "/stolen", 6), target=target.site)
        assert outcome.error.permanent
        assert target.files() == {}

    def test_are_not_listed_through(self, here: Any, hands: Any) -> None:
        (outcome,) = hands.run(JobType.LIST, here.site, ("/out/",))
        assert "secret" not in str(outcome.listing)

    def test_are_not_written_through(self, here: Any, place: Any, hands: Any, secret: Path) -> None:
        source = place("file")
        source.put("x", b"evil")
        elements = [("/x", "/out/new", 4), ("/x", "/out/secret", 4), ("/x", "/file-out", 4)]
        outcomes = hands.run(JobType.COPY, source.site, *elements, target=here.site, overwrite=True)
        assert [outcome.error is None for outcome in outcomes] == [False, False, True]
        assert secret.read_text() == "secret"
        assert os.listdir(secret.parent) == ["secret"]
        assert (here.path / "file-out").read_bytes() == b"evil"
        assert not (here.path / "file-out").is_symlink()

    def test_are_not_worked_through(self, here: Any, hands: Any, secret: Path) -> None:
        outcomes = [
            hands.run(JobType.REMOVE, here.site, ("/out/secret",)),
            hands.run(JobType.MKDIR, here.site, ("/out/dir",)),
            hands.run(JobType.RENAME, here.site, ("/out/secret", "/mine")),
        ]
        assert all(outcome.error.permanent for (outcome,) in outcomes)
        assert os.listdir(secret.parent) == ["secret"]

    def test_can_be_removed(self, here: Any, hands: Any, secret: Path) -> None:
        outcomes = hands.run(JobType.REMOVE, here.site, ("/out",), ("/file-out",))
        assert [outcome.error for outcome in outcomes] == [None, None]
        assert secret.exists()
        assert list(here.path.iterdir()) == []

    def test_that_stay_inside_are_followed(self, place: Any, hands: Any) -> None:
        here, target = place("file"), place("file")
        here.put("real/x", b"1")
        (here.path / "alias").symlink_to("real")
        (outcome,) = hands.run(JobType.COPY, here.site, ("/alias/x", "/x", 1), target=target.site)
        assert outcome.error is None
        assert target.files() == {"x": b"1"}


@pytest.mark.parametrize("kind", ["file", "sftp", "s3", "webdav", "ftp"])
def test_the_top_of_a_site_is_neither_removed_nor_renamed(kind: str, place: Any, hands: Any) -> None:
    here = place(kind)
    (removed,) = hands.run(JobType.REMOVE, here.site, ("/",))
    (renamed,) = hands.run(JobType.RENAME, here.site, ("/", "/x"))
    assert removed.error.permanent
    assert renamed.error.permanent


def test_special_files_are_not_read(place: Any, hands: Any) -> None:
    here, target = place("file"), place("file")
    os.mkfifo(here.path / "pipe")
    (outcome,) = hands.run(JobType.COPY, here.site, ("/pipe", "/x", 0), target=target.site)
    assert "not a regular file" in outcome.log


def test_names_that_are_not_utf8_are_named(place: Any, hands: Any) -> None:
    here = place("file")
    (Path(os.fsdecode(os.fsencode(here.path) + b"/bad\xff"))).write_text("x")
    (outcome,) = hands.run(JobType.LIST, here.site, ("/",))
    assert "not UTF-8" in outcome.log
