"""Starts a function in its sandbox, watches it, and leaves nothing of it behind.

Started by the runner for one execution, with these descriptors: 0, 1, 2 are those of the guest (:mod:`guest`); when
the runner closes its end of ``control``, or dies, the function ends; on ``status`` the warden says how it ended.
"""

import json
import os
import select
import sys

from scheduler_service.runner.inside import descendants, landlock, limits, namespaces, system

WATCH_MILLISECONDS = 200
HOME = "/function"
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "MALLOC_ARENA_MAX": "1",
}


class Order:
    """What the runner wants: JSON, the only argument. Sizes in bytes, descriptors as numbers."""

    command: list[str]
    directory: str
    readable: list[str]
    user: int | None
    """Whom the function runs as; ``None``: whoever the runner is."""
    namespaces: bool
    network: bool
    memory: int
    seconds: int
    disk: int
    control: int
    status: int

    def __init__(self, text: str) -> None:
        self.__dict__.update(json.loads(text))


def main() -> None:
    """Run one function; returns when nothing of it is left."""
    order = Order(sys.argv[1])
    os.setsid()
    separated = order.namespaces and namespaces.enter(order.network)
    walled = separated and _wall(order)
    system.adopt_orphans()
    guest = _start(order, HOME if walled else order.directory, separated)
    why = _watch(order, guest)
    if not separated:  # otherwise the end of this process is the end of them all
        descendants.end_all(order.user)
    os.write(order.status, json.dumps({"why": why, "separated": separated, "walled": walled}).encode())


def _wall(order: Order) -> bool:
    """Hide the files of this machine; ``False`` when it does not allow that."""
    readable = [*order.readable, *(namespaces.OF_THE_NETWORK if order.network else ())]
    try:
        namespaces.private_root(order.directory, readable, HOME, order.disk)
    except OSError:
        return False
    return True


def _start(order: Order, home: str, separated: bool) -> int:
    guest = os.fork()
    if guest:
        for descriptor in (0, 1, 2):
            os.close(descriptor)
        return guest
    try:
        os.setsid()
        os.chdir(home)
        others = 0 if separated or order.user is not None else _threads_of(os.getuid())
        limits.apply(order.memory, order.seconds, order.disk, others + limits.PROCESSES)
        if order.user is not None:
            os.setgroups([])
            os.setresgid(order.user, order.user, order.user)
            os.setresuid(order.user, order.user, order.user)
        system.die_with_parent()
        system.gain_nothing()
        if home != HOME and (found := landlock.version()):
            landlock.restrict(order.readable, [home, "/dev/null", "/dev/urandom"], found)
        os.closerange(3, 1024)
        # No shell has a part in this.
        os.execve(  # noqa: S606
            order.command[0], order.command, {**ENVIRONMENT, "HOME": home, "TMPDIR": home}
        )
    except BaseException as error:
        os.write(2, f"cannot start: {type(error).__name__}: {error}".encode())
    os._exit(127)


def _watch(order: Order, guest: int) -> str:
    """Return why it is over: ``exit``, ``told``, ``memory`` or ``signal <number>``."""
    poller = select.poll()
    poller.register(os.pidfd_open(guest), select.POLLIN)
    poller.register(order.control, select.POLLIN)
    while True:
        ready = [descriptor for descriptor, _ in poller.poll(WATCH_MILLISECONDS)]
        if order.control in ready:
            return "told"
        if ready:
            code = os.waitstatus_to_exitcode(os.waitpid(guest, 0)[1])
            return f"signal {-code}" if code < 0 else f"exit {code}"
        if limits.resident(descendants.find()) > order.memory + limits.INTERPRETER_RESIDENT:
            return "memory"
        _bury_orphans(guest)


def _bury_orphans(guest: int) -> None:
    """Let go of processes that have ended and whose parents have, which count as running until then."""
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None or ended.si_pid in (0, guest):
            return
        os.waitpid(ended.si_pid, 0)


def _threads_of(user: int) -> int:
    """Return how many threads of a user there are: the limit counts them all."""
    count = 0
    for entry in os.scandir("/proc"):
        try:
            if entry.name.isdecimal() and entry.stat().st_uid == user:
                count += len(os.listdir(f"{entry.path}/task"))
        except OSError:
            continue
    return count
