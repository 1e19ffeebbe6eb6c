"""What a process knows about an execution that it holds: by which lease, and for how long."""

import threading
from time import monotonic
from typing import Any

MARGIN = 1 / 3
"""The part of a lease before its end in which a holder stops: another may begin when it is over."""


class Hold:
    """A :class:`scheduler_service.sources.work.Ending` of one execution; ``ending`` is set when the process ends."""

    def __init__(self, token: Any, project: str, ending: threading.Event, seconds: float, since: float) -> None:
        self.token = token
        self.project = project
        self._ending = ending
        self._cut = threading.Event()
        self.renew(seconds, since)

    def renew(self, seconds: float, since: float) -> None:
        """Note that the lease holds for ``seconds`` from ``since``, a time of the monotonic clock, on."""
        self._until = since + seconds * (1 - MARGIN)

    def cut(self) -> None:
        """Have the execution stopped at once."""
        self._cut.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait up to ``timeout`` seconds; return whether to come to an end."""
        return self._ending.wait(timeout) or self.must_stop()

    def must_stop(self) -> bool:
        """Whether the execution is no longer this process's own, or soon will not be."""
        return self._cut.is_set() or monotonic() > self._until
