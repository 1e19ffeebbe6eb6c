"""System calls that Python 3.11 has no functions for."""

import ctypes
import os
import signal

_libc = ctypes.CDLL(None, use_errno=True)

NEW_MOUNTS, NEW_NAMES, NEW_IPC, NEW_USER, NEW_PIDS, NEW_NETWORK = (
    0x00020000,
    0x04000000,
    0x08000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
NO_SUID, NO_DEVICES, BIND, RECURSIVE, PRIVATE = 0x2, 0x4, 0x1000, 0x4000, 0x40000
READ_ONLY, REMOUNT = 0x1, 0x20
DETACH = 2

_SET_PARENT_DEATH_SIGNAL, _SET_CHILD_SUBREAPER, _SET_NO_NEW_PRIVILEGES = 1, 36, 38
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203, "s390x": 217}


def unshare(flags: int) -> None:
    """Give this process namespaces of its own; raise OSError."""
    _check(_libc.unshare(flags))


def mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    """Mount; raise OSError."""
    texts = [None if text is None else os.fsencode(text) for text in (source, target, kind, data)]
    _check(_libc.mount(texts[0], texts[1], texts[2], ctypes.c_ulong(flags), texts[3]))


def unmount(target: str) -> None:
    """Unmount lazily; raise OSError."""
    _check(_libc.umount2(os.fsencode(target), DETACH))


def enter_root(new_root: str) -> None:
    """Make ``new_root``, a mount, the root of this process's mounts, and let go of the old one; raise OSError."""
    os.chdir(new_root)
    number = _PIVOT_ROOT.get(os.uname().machine)
    if number is None:
        raise OSError("the number of pivot_root is not known on this machine")
    _check(_libc.syscall(number, b".", b"."))
    unmount(".")
    os.chdir("/")


def die_with_parent() -> None:
    """Have this process killed when the thread that started it ends."""
    _check(_libc.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0))


def adopt_orphans() -> None:
    """Become the parent of every descendant whose parent ends."""
    _check(_libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


def gain_nothing() -> None:
    """Let no program that this process starts gain rights, by set-user-id bits or otherwise."""
    _check(_libc.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0))


def call(number: int, *arguments: object) -> int:
    """Make a system call by its number and return what it returns; raise OSError."""
    return _check(_libc.syscall(number, *arguments))


def _check(returned: int) -> int:
    if returned < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return returned
