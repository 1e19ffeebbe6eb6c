"""Keeps a process to a few paths, without any rights of its own (Linux 5.13 and later, where Landlock is on)."""

import contextlib
import ctypes
import os
import struct
from collections.abc import Iterable

from scheduler_service.runner.inside import system

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
ASK_VERSION, PATH_BENEATH = 1, 1

EXECUTE, READ_FILE, READ_DIRECTORY = 1 << 0, 1 << 2, 1 << 3
# How many rights on files each version knows, from the lowest bit on.
RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
LATEST_RIGHTS = 16
OF_FILES = 0b1100000000000111  # the rights that also make sense for what is no directory
TCP = 0b11
SIGNALS_AND_SOCKETS = 0b11


def version() -> int:
    """Return the version of the kernel's Landlock, 0 when there is none."""
    try:
        return system.call(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(ASK_VERSION))
    except OSError:
        return 0


def restrict(readable: Iterable[str], writable: Iterable[str], found: int) -> None:
    """Keep this process and its descendants to these paths, off TCP, and from signals to others, for good.

    ``found``: the version; what it does not know is left out. Needs no-new-privileges. Raises OSError.
    """
    every = (1 << RIGHTS.get(found, LATEST_RIGHTS)) - 1
    attributes = struct.pack("=QQQ", every, TCP if found >= 4 else 0, SIGNALS_AND_SOCKETS if found >= 6 else 0)
    size = 24 if found >= 6 else 16 if found >= 4 else 8
    rules = system.call(CREATE_RULESET, attributes, ctypes.c_size_t(size), ctypes.c_uint32(0))
    for path in readable:
        _allow(rules, path, EXECUTE | READ_FILE | READ_DIRECTORY)
    for path in writable:
        _allow(rules, path, every)
    system.call(RESTRICT_SELF, ctypes.c_int(rules), ctypes.c_uint32(0))
    os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    with contextlib.suppress(FileNotFoundError, PermissionError):
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
        allowed = rights if os.path.isdir(path) else rights & OF_FILES
        rule = struct.pack("=Qi", allowed, beneath)
        system.call(ADD_RULE, ctypes.c_int(rules), ctypes.c_int(PATH_BENEATH), rule, ctypes.c_uint32(0))
        os.close(beneath)
