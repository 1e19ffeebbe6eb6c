"""The Python that functions run on."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from scheduler_service.runner.confined import PYTHON

OF_THE_SYSTEM = ("/usr/bin/python3", "/usr/local/bin/python3")
ASK = "import os, sys; print(os.path.realpath(sys.executable), sys.prefix, sys.base_prefix, sep='\\n')"


@dataclass(frozen=True)
class Interpreter:
    """How to start it, and the directories that it must be able to read."""

    command: tuple[str, ...]
    directories: tuple[str, ...]

    @classmethod
    def named(cls, path: str) -> Self:
        """Return the one that the operator names, with its packages; raise OSError or CalledProcessError."""
        return cls((path, "-I"), _directories(path))

    @classmethod
    def found(cls) -> Iterator[Self]:
        """Give those that are there, without any packages: first the one of this process, if functions may read it."""
        for path in dict.fromkeys((PYTHON, *map(os.path.realpath, OF_THE_SYSTEM))):
            if os.access(path, os.X_OK):
                yield cls((path, "-I", "-S"), _directories(path))


def _directories(python: str) -> tuple[str, ...]:
    words = [python, "-I", "-S", "-c", ASK]
    answer = subprocess.run(words, env={}, capture_output=True, check=True, text=True)  # noqa: S603
    executable, *prefixes = answer.stdout.splitlines()
    return tuple(dict.fromkeys([os.path.dirname(python), os.path.dirname(executable), *prefixes]))
