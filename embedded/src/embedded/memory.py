"""How much memory the house takes."""

import os

import psutil


def proportional(root: int | None = None) -> dict[int, int]:
    """Proportional set size in bytes (shared pages divided among their users) of a process and its offspring.

    `root` is a process id, by default this process. Where the system does not tell the proportional size, the
    resident one stands in; it counts shared pages once per process.
    """
    top = psutil.Process(root or os.getpid())
    sizes = {}
    for process in [top, *top.children(recursive=True)]:
        try:
            info = process.memory_full_info()
            sizes[process.pid] = getattr(info, "pss", info.rss)
        except psutil.Error:
            continue  # it has ended meanwhile
    return sizes


def megabytes(sizes: dict[int, int]) -> int:
    """Sum in MiB."""
    return round(sum(sizes.values()) / 2**20)
