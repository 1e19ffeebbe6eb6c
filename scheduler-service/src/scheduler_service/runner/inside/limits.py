"""What one function may use of the machine."""

import os
import resource

INTERPRETER_BYTES = 64 * 2**20
"""Address space that Python itself takes."""

INTERPRETER_RESIDENT = 16 * 2**20
"""What it holds in memory at most without a function."""

FILES = 64
PROCESSES = 32


def apply(memory: int, seconds: int, file_bytes: int, processes: int) -> None:
    """Limit this process and its descendants, for good: ``memory`` and ``file_bytes`` in bytes, CPU ``seconds``."""
    limits = {
        resource.RLIMIT_AS: memory + INTERPRETER_BYTES,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: file_bytes,
        resource.RLIMIT_NOFILE: FILES,
        resource.RLIMIT_NPROC: processes,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_STACK: 2**20,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    for kind, wanted in limits.items():
        highest = resource.getrlimit(kind)[1]
        limit = wanted if highest == resource.RLIM_INFINITY else min(wanted, highest)
        resource.setrlimit(kind, (limit, limit))


def resident(processes: list[int]) -> int:
    """Return the bytes of memory that these processes hold for themselves."""
    return sum(_private(process) for process in processes) * os.sysconf("SC_PAGE_SIZE")


def _private(process: int) -> int:
    try:
        with open(f"/proc/{process}/statm") as text:
            _, own, shared, *_ = text.read().split()
    except OSError:
        return 0
    return int(own) - int(shared)
