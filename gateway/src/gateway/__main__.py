"""`python -m gateway [run|attend|render|validate|drain]`.

Run the gate (the default), run it and drain it on SIGTERM, print its configuration, check it, or make a running gate
finish its work.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from gateway.attend import attend
from gateway.drain import drain
from gateway.errors import GateError
from gateway.launcher import run, validate, write_config
from gateway.render import render
from gateway.settings import GateSettings


def _render(settings: GateSettings) -> None:
    sys.stdout.write(render(settings))


def _validate(settings: GateSettings) -> None:
    with tempfile.TemporaryDirectory(prefix="taskyard-gateway-") as directory:
        validate(write_config(settings, Path(directory)))
    sys.stdout.write("the configuration is valid\n")


COMMANDS = {"render": _render, "validate": _validate, "run": run, "attend": attend, "drain": drain}


def main() -> None:
    """Do what the command line asks; a `GateError` ends the process with its text and status 1."""
    parser = argparse.ArgumentParser(prog="gateway", description="The Envoy gate in front of Taskyard.")
    parser.add_argument("command", nargs="?", choices=COMMANDS, default="run")
    arguments = parser.parse_args()
    try:
        COMMANDS[arguments.command](GateSettings.load())
    except GateError as error:
        sys.exit(f"gateway: {error}")


if __name__ == "__main__":
    main()
