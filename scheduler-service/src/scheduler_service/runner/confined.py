"""One warden with its function: starts it, reads what it writes, ends it in time (:mod:`.inside.warden`)."""

import os
import selectors
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Self

import orjson

from scheduler_service.runner.call import End, Ended, SandboxFailed
from scheduler_service.runner.output import MOST_LOG, MOST_REPORT, Output
from scheduler_service.sources.work import Ending

START_SECONDS = 30.0
"""The longest until a function is called: a busy machine needs its time, which is not the function's."""

END_SECONDS = 15.0
TICK_SECONDS = 0.25
PIECE = 65_536
READY = b"ready\n"
SOURCES = str(Path(__file__).parents[2])
BEGIN = (
    "import sys; sys.path.insert(0, sys.argv.pop()); from scheduler_service.runner.inside.warden import main; main()"
)
PYTHON = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
"""The Python of this process without the packages of its virtual environment."""


class Confined:
    """A context: when it ends, so has everything that was started."""

    def __init__(self, order: Mapping[str, Any], request: bytes, held: Sequence[int]) -> None:
        self._selector = selectors.DefaultSelector()
        self._log, self._report, self._status = Output(MOST_LOG), Output(MOST_REPORT), Output(PIECE)
        ends = [self._pipe(output) for output in (self._log, self._report, self._status)]
        told, self._control = os.pipe()
        stdin = os.memfd_create("request")
        with open(stdin, "wb", closefd=False) as content:
            content.write(request)
        os.lseek(stdin, 0, os.SEEK_SET)
        whole = orjson.dumps({**order, "control": told, "status": ends[2]}).decode()
        self._begun = monotonic()
        try:
            self._process = subprocess.Popen(  # noqa: S603
                [PYTHON, "-I", "-S", "-c", BEGIN, whole, SOURCES],
                stdin=stdin,
                stdout=ends[0],
                stderr=ends[1],
                pass_fds=[told, ends[2], *held],
                env={},
                cwd="/",
            )
        finally:
            for descriptor in (stdin, told, *ends):
                os.close(descriptor)
        self._over = os.pidfd_open(self._process.pid)
        self._selector.register(self._over, selectors.EVENT_READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._tell()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)
        self._process.kill()
        self._process.wait()
        for descriptor in (*self._pipes(), self._over):
            os.close(descriptor)
        self._selector.close()

    def to_the_end(self, seconds: float, ending: Ending) -> Ended:
        """Wait until it is over, at most ``seconds`` from the call of the function on; raise SandboxFailed."""
        reason: End | None = None
        ready_at = over_at = deadline = self._begun + START_SECONDS
        has_begun = False
        while not self._read(max(0.0, min(TICK_SECONDS, deadline - monotonic()))):
            now = monotonic()
            if not has_begun and bytes(self._report).startswith(READY):
                has_begun, ready_at, deadline = True, now, now + seconds
            if reason is None and (ending.must_stop() or now >= deadline):
                reason = End.TIME if not ending.must_stop() else End.GIVEN_UP
                self._tell()
                deadline = now + END_SECONDS
            elif now >= deadline:
                self._process.kill()
                deadline = now + END_SECONDS
        over_at = monotonic()
        return self._ended(reason, over_at - ready_at if has_begun else None)

    def _ended(self, reason: End | None, seconds: float | None) -> Ended:
        report = bytes(self._report)
        if seconds is None and reason is not End.GIVEN_UP and not report.startswith(READY):
            raise SandboxFailed(report.decode(errors="replace")[-500:] or "the sandbox did not start")
        status = bytes(self._status)
        why = str(orjson.loads(status)["why"]) if status else "signal 9"
        if reason is None:
            reason = End.EXITED if why.startswith("exit") else End.RESOURCES
        code = int(why.removeprefix("exit ")) if why.startswith("exit ") else 0
        return Ended(reason, seconds or 0.0, report.removeprefix(READY), self._log.log(), code, self._report.is_cut)

    def _read(self, seconds: float) -> bool:
        """Read what there is; return whether the warden has ended and all is read."""
        ready = [key for key, _ in self._selector.select(seconds)]
        is_over = any(key.fd == self._over for key in ready)
        for key in list(self._selector.get_map().values()) if is_over else ready:
            if key.data is not None:
                self._take(key.fd, key.data, everything=is_over)
        return is_over

    def _take(self, descriptor: int, into: Output, *, everything: bool) -> None:
        with suppress(BlockingIOError):
            while piece := os.read(descriptor, PIECE):
                into.add(piece)
                if not everything:
                    return
            self._selector.unregister(descriptor)
            os.close(descriptor)

    def _tell(self) -> None:
        """Tell the warden to end its function."""
        if self._control >= 0:
            os.close(self._control)
            self._control = -1

    def _pipe(self, into: Output) -> int:
        """Return the end to write to of a pipe that is read into ``into``."""
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        self._selector.register(reading, selectors.EVENT_READ, into)
        return writing

    def _pipes(self) -> list[int]:
        return [key.fd for key in self._selector.get_map().values() if key.data is not None]
