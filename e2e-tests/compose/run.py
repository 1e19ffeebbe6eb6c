"""`python e2e-tests/compose/run.py [pytest's arguments]`: brings the compose stack up, tests it, and takes it away.

First what the README shows, then the black-box tests through the gate, and those of functions in containers, which need
an engine too; then the faults (TASKYARD_CHAOS=all: each of every container) and what the engine says of the containers.
Needs a Docker engine, and root for looking into the engine's volumes and for crashing processes.
"""

import os
import subprocess
import sys
import time

from stack import ROOT, Stack, StackFailed

PROJECT = "taskyard-e2e"
# Some of them wait for the next minute: side by side.
BLACK_BOX = (
    "e2e-tests",
    "--ignore",
    "e2e-tests/compose",
    "scheduler-service/tests/test_runner_containers.py",
    "-n",
    "2",
)
FIRST = ("e2e-tests/compose/test_first.py",)
CONTAINERS = ("e2e-tests/compose", "--ignore", *FIRST)
# Whom the README registers, so that this is the administrator.
READER = {"TASKYARD_ADMIN_USER": "ann", "TASKYARD_ADMIN_PASSWORD": "correct horse"}


def environment(stack: Stack) -> dict[str, str]:
    """Where the tests find the system, and its files."""
    return {
        **os.environ,
        **READER,
        "TASKYARD_URL": stack.url,
        "TASKYARD_COMPOSE_PROJECT": stack.project,
        "TASKYARD_E2E_FILES": str(stack.files()),
        "TASKYARD_E2E_FILES_THERE": "/files",
        "TASKYARD_RESET_TIMED_OUT_TASKS_INTERVAL": "1",
    }


def tests(stack: Stack, *words: str) -> int:
    """Run pytest and return its status."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words]
    return subprocess.run(command, cwd=ROOT, env=environment(stack), check=False).returncode


def say(began: float, text: str) -> None:
    """Print a line with the time since the beginning."""
    print(f"compose: {time.monotonic() - began:.0f} s: {text}", flush=True)  # noqa: T201


def main(arguments: list[str]) -> int:
    """Bring up, test, take away; return the status for the shell."""
    began = time.monotonic()
    port = int(os.environ.get("TASKYARD_PORT", "18080"))
    try:
        with Stack(PROJECT, port) as stack:
            stack.build()
            say(began, "the images are built")
            stack.up()
            say(began, f"everything is healthy at {stack.url}")
            first = tests(stack, *FIRST)
            black_box = tests(stack, *BLACK_BOX, *arguments)
            say(began, "the black-box tests have ended")
            chaos = tests(stack, *CONTAINERS, *arguments)
            say(began, "the faults have ended")
        say(began, "everything is taken away")
    except StackFailed as failure:
        sys.exit(f"compose: {failure}")
    return first or black_box or chaos


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
