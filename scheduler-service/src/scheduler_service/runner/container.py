"""One container: started, read, and removed whatever happens."""

import threading
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import Any, Self

from docker.errors import APIError, DockerException, NotFound
from docker.utils.socket import frames_iter
from requests.exceptions import RequestException

from scheduler_service.runner.call import End, Ended, SandboxFailed
from scheduler_service.runner.confined import READY, START_SECONDS, TICK_SECONDS
from scheduler_service.runner.output import MOST_LOG, MOST_REPORT, Output
from scheduler_service.sources.work import Ending

END_SECONDS = 15.0
STDOUT, STDERR = 1, 2
CONFLICT = 409


class Container:
    """A context around one container; ``name`` is free of earlier ones, ``request`` goes to its standard input."""

    def __init__(self, client: Any, name: str, options: dict[str, Any], request: bytes | None) -> None:
        self._request = request
        self._stream: Any = None
        self._log, self._report = Output(MOST_LOG), Output(MOST_REPORT)
        # The library's errors hold addresses and names that are not for clients.
        try:
            self._container = _created(client, name, {**options, "stdin_open": request is not None})
        except (DockerException, RequestException) as error:
            raise SandboxFailed(f"the container could not be made: {error}") from error
        self._reader = threading.Thread(target=self._read, name="container-output", daemon=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with suppress(NotFound):
            self._container.remove(force=True, v=True)
        if self._stream is not None:
            self._reader.join(END_SECONDS)
            for part in ("_sock", "_response"):
                getattr(self._stream, part, self._stream).close()
            self._stream.close()

    def to_the_end(self, seconds: float, ending: Ending) -> Ended:
        """Run it, at most ``seconds`` from its start on, or from when its guest says that it is ready."""
        try:
            return self._to_the_end(seconds, ending)
        except (DockerException, RequestException) as error:
            raise SandboxFailed(f"the container could not be run: {error}") from error

    def _to_the_end(self, seconds: float, ending: Ending) -> Ended:
        params = {"stdin": int(self._request is not None), "stdout": 1, "stderr": 1, "stream": 1}
        self._stream = self._container.attach_socket(params=params)
        self._container.start()
        self._reader.start()
        begun = monotonic()
        if self._request is not None:
            threading.Thread(target=self._feed, name="container-input", daemon=True).start()
            begun = self._ready_at(begun, ending)
        reason = None
        while self._reader.is_alive() and reason is None:
            self._reader.join(max(0.0, min(TICK_SECONDS, begun + seconds - monotonic())))
            if ending.must_stop():
                reason = End.GIVEN_UP
            elif self._reader.is_alive() and monotonic() >= begun + seconds:
                reason = End.TIME
        return self._ended(reason, monotonic() - begun)

    def _ended(self, reason: End | None, seconds: float) -> Ended:
        if reason is not None:
            with suppress(APIError):  # it may have ended at this moment
                self._container.kill()
        code = int(self._container.wait(timeout=END_SECONDS)["StatusCode"])
        self._reader.join(END_SECONDS)
        self._container.reload()
        is_killed = self._container.attrs["State"]["OOMKilled"] or code > 128
        report = bytes(self._report)
        if self._request is not None and reason is None and not report.startswith(READY):
            raise SandboxFailed(f"the container did not call the function, exit code {code}")
        end = reason or (End.RESOURCES if is_killed else End.EXITED)
        return Ended(end, seconds, report.removeprefix(READY), self._log.log(), code, self._report.is_cut)

    def _ready_at(self, begun: float, ending: Ending) -> float:
        """Wait until the guest is about to call its function, or has ended."""
        while self._reader.is_alive() and monotonic() < begun + START_SECONDS and not ending.must_stop():
            if bytes(self._report).startswith(READY):
                return monotonic()
            self._reader.join(0.02)
        return monotonic()

    def _read(self) -> None:
        into = {STDOUT: self._log, STDERR: self._report if self._request is not None else self._log}
        with suppress(OSError):
            for stream, piece in frames_iter(self._stream, tty=False):
                into.get(stream, self._log).add(piece)

    def _feed(self) -> None:
        import socket

        raw = getattr(self._stream, "_sock", self._stream)
        with suppress(OSError):  # it may end without reading all
            raw.sendall(self._request)
            raw.shutdown(socket.SHUT_WR)


def _created(client: Any, name: str, options: dict[str, Any]) -> Any:
    """Create a container; an earlier one of the same execution, left by a runner that died, makes room."""
    try:
        return client.containers.create(name=name, **options)
    except APIError as error:
        if error.status_code != CONFLICT:
            raise
    with suppress(NotFound):
        client.containers.get(name).remove(force=True, v=True)
    return client.containers.create(name=name, **options)
