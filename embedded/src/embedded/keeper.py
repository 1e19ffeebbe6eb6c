"""Keeps the PostgreSQL server of one test run: `python -m embedded.keeper <directory> <process id>`.

Whichever test process needs the server first starts the keeper. It stops the server and removes `directory` when
the test run's main process (`process id`) has ended, however that came about.
"""

import secrets
import shutil
import signal
import sys
import time
from pathlib import Path
from types import FrameType

import psutil

from embedded import postgres
from embedded.ports import free_port


class _Told(Exception):
    """Somebody asked the keeper to stop."""


def _stop(signum: int, frame: FrameType | None) -> None:
    raise _Told


def keep(directory: Path, main_process: psutil.Process) -> None:
    """Run a server in `directory` as long as `main_process` lives; the file `address` there leads to it."""
    cluster = postgres.Cluster(directory / "data", free_port(), secrets.token_urlsafe(32), postgres.THROWAWAY)
    cluster.create()
    with (directory / "log").open("wb") as log:
        process = cluster.start(log)
        try:
            cluster.wait_ready(process)
            (ready := directory / "address.new").write_text(cluster.server.admin_dsn)
            ready.rename(directory / "address")
            while main_process.is_running() and main_process.status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.25)
        finally:
            postgres.stop(process, signal.SIGQUIT)


def main() -> None:
    """Keep a server until SIGTERM or the end of the main process; say on stderr why it did not start."""
    directory, main_process = Path(sys.argv[1]), psutil.Process(int(sys.argv[2]))
    signal.signal(signal.SIGTERM, _stop)
    try:
        keep(directory, main_process)
    except postgres.PostgresFailed as failure:
        log = directory / "log"
        sys.exit(f"{failure}\n{log.read_text() if log.exists() else ''}")
    except (_Told, psutil.NoSuchProcess):
        pass
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
