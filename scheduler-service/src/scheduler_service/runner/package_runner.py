"""Functions of the source ``package`` (spec: scheduler 5.7)."""

import json
from typing import Any

import orjson
import structlog

from scheduler_service.executions import LOST
from scheduler_service.runner.call import Call, End, Ended, ImageMissing, Limits, Sandbox, SandboxFailed
from scheduler_service.runner.packages import PackageGone, Packages
from scheduler_service.runner.preparing import image_of
from scheduler_service.sources.work import Ending, GivenUp, Outcome, Work

log = structlog.get_logger()

TIMEOUT = "Function execution timeout."
RESOURCES = "Function execution failed because of too much resource consumption"
TOO_LONG = "The output of the function is too long."


class PackageRunner:
    """Calls functions in a sandbox."""

    def __init__(self, packages: Packages, sandbox: Sandbox) -> None:
        self._packages = packages
        self._sandbox = sandbox

    def run(self, work: Work, ending: Ending) -> Outcome:
        """Call the function and return what became of it; raise GivenUp."""
        try:
            package = self._packages.get(work.function_id, work.version)
            ended = self._sandbox.call(_call(work, package), ending)
        except PackageGone:
            return Outcome("error", f"Function not found [id={work.function_id}]")
        except ImageMissing as error:
            return Outcome("error", f"Image not found [image={error}]")
        except SandboxFailed:
            log.exception("sandbox_failed", execution_id=work.execution_id)
            return Outcome("error", LOST)
        if ended.end is End.GIVEN_UP:
            raise GivenUp
        status, output = verdict(ended)
        return Outcome(status, output, ended.seconds, logs_of(work.execution_id, ended.logs))


def limits_of(work: Work) -> Limits:
    """Return what the function of an execution may use."""
    return Limits(work.timeout, work.memory_size, work.cpu)


def verdict(ended: Ended) -> tuple[str, Any]:
    """Return status and output; the report comes from the sandbox and may be anything."""
    if ended.end is End.TIME:
        return "failed", TIMEOUT
    try:
        report = json.loads(ended.report)
        if "output" in report:
            return "success", json.loads(report["output"])
        if "raised" in report:
            return "failed", str(report["raised"])
        if "unserialisable" in report:
            return "failed", f"The output of the function can not be written as JSON: {report['unserialisable']}"
    except (ValueError, TypeError, RecursionError):
        pass
    return "failed", TOO_LONG if ended.is_report_cut else RESOURCES


def logs_of(execution_id: str, printed: bytes) -> str:
    """Return what a function has printed, with a first and a last line."""
    text = printed.decode(errors="replace")
    end = "" if not text or text.endswith("\n") else "\n"
    return f"Start execution: {execution_id}\n{text}{end}Finished execution: {execution_id}\n"


def _call(work: Work, package: bytes) -> Call:
    given = {} if work.input is None else orjson.loads(work.input)
    image = image_of(work.runtime_image)
    return Call(work.execution_id, work.entry or "main.main", given, package, limits_of(work), image)
