"""Credentials are in memory and in calls to rclone, and nowhere else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from workqueue_service.enums import JobType
from workqueue_service.transfer.endpoints import Host, Redactor, endpoint
from workqueue_service.transfer.rclone import RcloneDaemon

SECRET = "very-Secret %/word-4711"
KINDS = ["sftp", "webdav", "ftp", "s3", "http"]


def everything_about_processes() -> Iterator[str]:
    """Yield the arguments and the environments of all processes."""
    for directory in Path("/proc").iterdir():
        for name in ("cmdline", "environ"):
            try:
                yield (directory / name).read_bytes().decode(errors="replace")
            except OSError:
                continue


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong"])
def test_a_password_shows_nowhere(
    kind: str, right: bool, place: Any, hands: Any, rclone: RcloneDaemon, capfd: pytest.CaptureFixture[str]
) -> None:
    here, other = place(kind), place("file")
    here.put("x")
    if not right:
        here.site["credentials"]["password"] = SECRET
    password = here.site["credentials"]["password"]
    outcomes = [
        *hands.run(JobType.LIST, here.site, ("/x",)),
        *hands.run(JobType.LIST, here.site, ("/missing",)),
        *hands.run(JobType.COPY, here.site, ("/missing", "/y", 1), target=other.site),
    ]
    logs = "".join(outcome.log + (outcome.error.message if outcome.error else "") for outcome in outcomes)
    assert password not in logs
    assert password not in "".join(capfd.readouterr())
    assert password not in repr(outcomes)
    for path in rclone.home.rglob("*"):
        assert not path.is_file() or password not in path.read_text(errors="replace")
    if not right:
        assert not any(SECRET in text for text in everything_about_processes())


def test_errors_that_quote_a_secret_lose_it() -> None:
    found = endpoint("sftp://h/", {"username": "ada", "password": "p@ss/word"}, Host())
    redact = Redactor(found)
    assert redact("dial sftp://ada:p%40ss%2Fword@h: p@ss/word is wrong") == "dial sftp://ada:***@h: *** is wrong"


def test_rclone_inherits_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "RCLONE_SFTP_PASS", "TASKYARD_WORKER_SECRET", "SSH_AUTH_SOCK"):
        monkeypatch.setenv(name, SECRET)
    daemon = RcloneDaemon()
    daemon.start()
    try:
        daemon.rc()
        assert SECRET not in Path(f"/proc/{daemon.pid}/environ").read_text()
    finally:
        daemon.stop()


def test_the_daemon_is_reached_by_its_user_alone(rclone: RcloneDaemon) -> None:
    rclone.rc()
    assert rclone.home.stat().st_mode & 0o077 == 0


def test_sites_and_elements_show_no_credential(place: Any, hands: Any) -> None:
    here = place("sftp")
    here.site["credentials"]["password"] = SECRET
    (kept,) = hands.workqueue.submit(JobType.LIST, here.site, [("/",)])
    element = hands.element(kept)
    assert SECRET not in repr(element)
    assert SECRET not in repr(endpoint(here.site["endpoints"][0], here.site["credentials"], Host()))
    assert element.token not in repr(element)
