"""The processes that a function has started, and the end of them all."""

import contextlib
import os
import signal
import time

GIVE_UP_SECONDS = 10.0


def find() -> list[int]:
    """Return the ids of all descendants of this process; nothing where /proc is not that of its namespace."""
    parents = {}
    for entry in os.scandir("/proc") if _has_own_proc() else ():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = _parent(entry.path)
    found = {os.getpid()}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found - {os.getpid()})


def _parent(entry: str) -> int:
    with open(f"{entry}/stat", errors="replace") as text:
        # The name of a program may hold blanks and brackets.
        return int(text.read().rpartition(")")[2].split()[1])


def _has_own_proc() -> bool:
    try:
        return os.readlink("/proc/self") == str(os.getpid())
    except OSError:
        return False


def end_all(user: int | None) -> None:
    """Kill all descendants until there is none: all processes of ``user`` at one blow, or one by one.

    Orphans come to this process, which must adopt them, so that none is missed.
    """
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while time.monotonic() < deadline:
        if user is not None:
            _kill_as(user)
        for signal_ in (signal.SIGSTOP, signal.SIGKILL):  # what stands still cannot have more children
            for process in find():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(process, signal_)
        if not _bury():
            return
        time.sleep(0.005)


def _kill_as(user: int) -> None:
    """Kill everything that runs as ``user``, in one system call that no fork outruns."""
    if (child := os.fork()) == 0:
        try:
            os.setresuid(user, user, user)
            os.kill(-1, signal.SIGKILL)
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def _bury() -> bool:
    """Take notice of children that have ended; return whether some are left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True
