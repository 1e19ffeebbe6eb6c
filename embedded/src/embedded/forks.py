"""Starts Python modules as forks of a zygote (`embedded.zygote` is the other end)."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import IO

from embedded import leash

AVAILABLE = sys.platform == "linux"
UNSEEN = 256  # no program ends with this


class NoZygote(Exception):
    """There is no zygote at this moment."""


@dataclass
class ForkServer:
    """The launcher's end of one zygote: starts it (again), and sends it orders.

    `flavour` is `gevent` or `threads`: gevent has to patch a process before anything else is loaded.
    """

    flavour: str
    modules: Sequence[str]
    environment: Mapping[str, str]
    _control: socket.socket | None = field(default=None, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def start(self, output: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start the zygote, or its successor, as a child of this thread."""
        near, far = _pair()
        with far:
            words = [sys.executable, "-m", "embedded.zygote", str(far.fileno()), self.flavour, *self.modules]
            process = leash.start(words, env=self.environment, output=output, pass_fds=[far.fileno()])
        self._replace(near)
        return process

    def close(self) -> None:
        """Send no more orders; the zygote ends."""
        self._replace(None)

    def _replace(self, control: socket.socket | None) -> None:
        with self._lock:
            if self._control is not None:
                self._control.close()
            self._control = control

    def fork(self, words: Sequence[str], environment: Mapping[str, str], output: IO[bytes]) -> "Fork":
        """Start `python -m <words>`; raise `NoZygote` when nobody is there to do it."""
        leash_end, hold = os.pipe()
        news, news_end = _pair()
        with ExitStack() as ours:
            line = ours.enter_context(open(hold, "wb", buffering=0))
            ours.enter_context(news)
            with news_end:
                try:
                    self._send(_request(words, environment), output.fileno(), leash_end, news_end.fileno())
                finally:
                    os.close(leash_end)
            pid, process = _birth(news)
            return Fork(pid, process, news, line, ours.pop_all())

    def _send(self, request: int, *descriptors: int) -> None:
        try:
            with self._lock:
                if self._control is None:
                    raise NoZygote
                socket.send_fds(self._control, [b"fork"], [request, *descriptors])
        except OSError:
            raise NoZygote from None
        finally:
            os.close(request)


def _pair() -> tuple[socket.socket, socket.socket]:
    """Two ends that keep messages apart and wait as long as it takes, whatever the process has as its default."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    near.settimeout(None)
    return near, far


def _request(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """A file in memory, because an environment may be longer than a message."""
    descriptor = os.memfd_create("request")
    with open(descriptor, "w", closefd=False) as file:
        json.dump({"words": list(words), "environment": dict(environment)}, file)
    return descriptor


def _birth(news: socket.socket) -> tuple[int, int]:
    """Process id and descriptor of the new fork."""
    message, descriptors, _, _ = socket.recv_fds(news, 32, 1)
    if not message:
        raise NoZygote
    return int(message), descriptors[0]


class Fork:
    """A fork of the zygote, which looks like a child of this process.

    When `leash` closes before its end (with this process, at the latest), the kernel sends the fork SIGTERM. `held` is
    what is to be closed at its end.
    """

    def __init__(self, pid: int, process: int, news: socket.socket, leash: IO[bytes], held: ExitStack) -> None:
        self.pid = pid
        self.leash = leash
        self.returncode: int | None = None
        self._process = process
        self._news = news
        self._held = held
        held.callback(os.close, process)

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._process, number)

    def wait(self) -> int:
        """Return the exit code, negative for a signal, when it has ended; `UNSEEN` if its zygote ended before it."""
        told = self._news.recv(32)
        select.select([self._process], [], [])
        self.returncode = int(told) if told else UNSEEN
        self._held.close()
        return self.returncode
