"""How much memory the house takes."""

import contextlib
import os

import psutil


def proportional(*roots: int) -> dict[int, int]:
    """Proportional set size in bytes (shared pages divided among their users) of processes and their offspring.

    `roots` are process ids, by default of this process. Where the system does not tell the proportional size, the
    resident one stands in; it counts shared pages once per process.
    """
    sizes: dict[int, int] = {}
    for root in roots or (os.getpid(),):
        with contextlib.suppress(psutil.NoSuchProcess):
            top = psutil.Process(root)
            sizes |= {process.pid: _size(process) for process in [top, *top.children(recursive=True)]}
    return sizes


def _size(process: psutil.Process) -> int:
    try:
        info = process.memory_full_info()
    except psutil.Error:
        return 0  # it has ended meanwhile
    return int(getattr(info, "pss", info.rss))


def megabytes(sizes: dict[int, int]) -> int:
    """Sum in MiB."""
    return round(sum(sizes.values()) / 2**20)
