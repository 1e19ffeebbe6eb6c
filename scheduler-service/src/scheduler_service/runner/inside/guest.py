"""Calls one function, inside its sandbox (spec: scheduler 5.7).

Not imported: its text is given to ``python -c``, in a container too. Standard input: one line of JSON (``entry``,
``input``), then the ZIP. Standard output: the log. What was standard error: the line ``ready``, then one line of JSON
that says how it ended.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import sys
import traceback
import zipfile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MOST_TEXT = 10_000
PLAIN = "__function_input"


def main() -> None:
    """Do all of it, and end the process whatever threads the function has left."""
    reports = os.fdopen(os.dup(2), "wb")
    os.dup2(1, 2)
    call = json.loads(sys.stdin.buffer.readline())
    with open("package.zip", "wb") as package:
        shutil.copyfileobj(sys.stdin.buffer, package)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    reports.write(b"ready\n")
    reports.flush()
    report = carry_out(call)
    sys.stdout.flush()
    reports.write(json.dumps(report).encode() + b"\n")
    reports.flush()
    os._exit(0)


def carry_out(call: dict[str, Any]) -> dict[str, Any]:
    """Return how it ended: ``output`` as JSON text, what it ``raised``, or that it had too little ``memory``."""
    try:
        output = load(call["entry"])(*arguments(call), **keywords(call))
    except MemoryError:
        traceback.print_exc(file=sys.stdout)
        return {"memory": True}
    except BaseException as error:
        traceback.print_exc(file=sys.stdout)
        return {"raised": text_of(error)}
    try:
        return {"output": json.dumps(output, allow_nan=False)}
    except MemoryError:
        return {"memory": True}
    except BaseException as error:
        return {"unserialisable": text_of(error)}


def load(entry: str) -> Any:
    """Unpack the code and return the callable that ``entry`` names."""
    code = os.path.join(os.getcwd(), "code")
    with zipfile.ZipFile("package.zip") as archive:
        archive.extractall(code)
    os.remove("package.zip")
    sys.path.insert(0, code)
    sys.argv = [entry]
    module, _, name = entry.rpartition(".")
    return getattr(importlib.import_module(module or "main"), name)


def arguments(call: dict[str, Any]) -> list[Any]:
    """Return the positional arguments: the text, when the input is one."""
    return [call["input"][PLAIN]] if PLAIN in call["input"] else []


def keywords(call: dict[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments: the members of the input, and the context."""
    named = {name: value for name, value in call["input"].items() if name != PLAIN}
    return {**named, "context": {"os_session": None}}


def text_of(error: BaseException) -> str:
    """Return what an exception says, as far as it can be said."""
    try:
        return str(error)[:MOST_TEXT]
    except BaseException:
        return type(error).__name__


if __name__ == "__main__":
    main()
