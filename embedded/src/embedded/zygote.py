"""A process that has loaded what all processes of a kind need, and becomes them by forking.

`python -m embedded.zygote <socket> threads|gevent <module>…`. Pages that nobody writes to are common to all forks: a
service process costs a third of the memory it would need alone, and begins in milliseconds instead of seconds.

Each message on the socket brings four descriptors: the request, the output, the leash and a socket for news of the
fork: its process id with a descriptor of the process, at its end the exit code (`embedded.forks` is the other end).
"""

import fcntl
import gc
import json
import os
import runpy
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from os import fork, waitpid  # gevent replaces all these; what serves the launcher stays as it is
from select import POLLIN, poll
from typing import Any

from setproctitle import setproctitle

DESCRIPTORS = 4


@dataclass(frozen=True)
class _Order:
    """The descriptors of one request."""

    request: int
    output: int
    leash: int
    news: int

    def close(self) -> None:
        for descriptor in (self.request, self.output, self.leash, self.news):
            os.close(descriptor)


class Zygote:
    """Forks on request and tells how forks end. It ends with the launcher, its forks do so by their leashes."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._forks: dict[int, tuple[int, socket.socket]] = {}  # by descriptor of the process: its id, where news go
        self._poll = poll()
        self._poll.register(control, POLLIN)

    def serve(self) -> _Order | None:
        """Return an order in the fork that is to carry it out; in the zygote None, when the launcher is gone."""
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor != self._control.fileno():
                    self._tell_end(descriptor)
                    continue
                message, descriptors, _, _ = socket.recv_fds(self._control, 16, DESCRIPTORS)
                if not message:
                    return None
                if self._fork(order := _Order(*descriptors)):
                    return order

    def _fork(self, order: _Order) -> bool:
        """Whether this is the fork."""
        pid = fork()
        if pid == 0:
            self._forget()
            return True
        process, news = os.pidfd_open(pid), socket.socket(fileno=os.dup(order.news))
        order.close()
        with suppress(OSError):  # a launcher that is gone wants no news
            socket.send_fds(news, [str(pid).encode()], [process])
        self._forks[process] = (pid, news)
        self._poll.register(process, POLLIN)
        return False

    def _tell_end(self, process: int) -> None:
        self._poll.unregister(process)
        os.close(process)
        pid, news = self._forks.pop(process)
        with news, suppress(OSError):
            news.send(str(os.waitstatus_to_exitcode(waitpid(pid, 0)[1])).encode())

    def _forget(self) -> None:
        """Close what belongs to the zygote: who holds an end of a socket keeps it open."""
        self._control.close()
        for process, (_, news) in self._forks.items():
            os.close(process)
            news.close()


def become(order: _Order) -> None:
    """Become the Python module that was ordered, in a session of its own."""
    with open(order.request, closefd=False) as file:
        file.seek(0)
        request: dict[str, Any] = json.load(file)
    module, *sys.argv[1:] = request["words"]
    setproctitle(" ".join([sys.executable, "-m", module, *sys.argv[1:]]))  # it needs the environment as it was
    os.setsid()
    put_on_leash(order.leash)
    for standard in (1, 2):
        os.dup2(order.output, standard)
    for descriptor in (order.request, order.output, order.news):
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir("/")
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def put_on_leash(leash: int) -> None:
    """Have the kernel send SIGTERM to this process when the other end of the pipe `leash` closes."""
    fcntl.fcntl(leash, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(leash, fcntl.F_SETSIG, signal.SIGTERM)
    fcntl.fcntl(leash, fcntl.F_SETFL, fcntl.fcntl(leash, fcntl.F_GETFL) | os.O_ASYNC)
    closed = poll()
    closed.register(leash)
    if closed.poll(0):
        sys.exit("The launcher ended before its child began.")


def main() -> None:
    """Load the modules, then fork until the launcher goes."""
    control = socket.socket(fileno=int(sys.argv[1]))
    if sys.argv[2] == "gevent":
        from gevent import monkey

        monkey.patch_all()
    for module in sys.argv[3:]:
        import_module(module)
    gc.collect()
    gc.freeze()  # a collection in a fork would write to every object
    order = Zygote(control).serve()
    if order:
        become(order)


if __name__ == "__main__":
    main()
