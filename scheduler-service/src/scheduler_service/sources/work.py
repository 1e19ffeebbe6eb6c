"""What is to be carried out, and the one interface of everything that carries out executions in this process."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import orjson

from scheduler_service import codes, inputs
from scheduler_service.refusals import refuse


@dataclass(frozen=True)
class Work:
    """One execution; ``code`` is the function's, with the members of the input in place of details."""

    execution_id: str
    project: str
    function_id: str
    version: int
    code: Mapping[str, Any]
    input: str | None
    timeout: int
    """Seconds."""

    entry: str | None = None
    memory_size: int = 0
    """Bytes."""

    cpu: int = 0
    """Thousandths of a processor."""

    runtime_image: str | None = None
    """That of the runtime of a package."""

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Self:
        """Read a row of an execution and its function; raise an ApiError below 500 when it cannot be carried out."""
        if row["code"] is None:
            raise refuse(f"Function not found [id={row['function_id']}]")
        code = orjson.loads(row["code"])
        if code["source"] in codes.OWN:
            code = {**code, **inputs.members(row["input"]), "source": code["source"]}
            codes.check(code)
        return cls(
            execution_id=str(row["id"]),
            project=row["project_id"],
            function_id=str(row["function_id"]),
            version=row["function_version"],
            code=code,
            input=row["input"],
            **{name: row[name] for name in ("timeout", "entry", "memory_size", "cpu")},
            runtime_image=row.get("runtime_image"),
        )


class GivenUp(Exception):
    """The execution was stopped before its end"""


@dataclass(frozen=True)
class Outcome:
    """How it ended: ``success``, or ``failed`` with the reason as its output; ``duration`` in seconds."""

    status: str
    output: Any
    duration: float | None = None
    logs: str | None = None


class Ending(Protocol):
    """Tells a runner that it should, or must, come to an end."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait up to ``timeout`` seconds; return whether the process is to end: what can be given up should be."""

    def must_stop(self) -> bool:
        """Whether to stop at once: there is no time left, or the execution is no longer this process's own."""


class Runner(Protocol):
    """Carries out executions of one source, several at a time.

    An execution whose source has no runner in any process waits until its time is over and ends in ``error``.
    """

    def run(self, work: Work, ending: Ending) -> Outcome:
        """Carry it out and return how it ended; takes as long as it takes, its lease is renewed meanwhile.

        Raises :class:`GivenUp` when it must stop.
        """
