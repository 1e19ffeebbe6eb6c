"""Functions of the source ``image`` (spec: scheduler 5.7, image functions)."""

import orjson
import structlog

from scheduler_service.executions import LOST, NOTHING
from scheduler_service.inputs import PLAIN
from scheduler_service.runner.call import End, Ended, ImageMissing, Images, SandboxFailed
from scheduler_service.runner.package_runner import RESOURCES, TIMEOUT, limits_of
from scheduler_service.sources.work import Ending, GivenUp, Outcome, Work

log = structlog.get_logger()


class ImageRunner:
    """Runs containers to their end."""

    def __init__(self, images: Images) -> None:
        self._images = images

    def run(self, work: Work, ending: Ending) -> Outcome:
        """Run the image and return what became of it; raise GivenUp."""
        words = arguments(work.input)
        try:
            ended = self._images.run_image(work.execution_id, work.code["image"], words, limits_of(work), ending)
        except ImageMissing:
            return Outcome("error", f"Image not found [image={work.code['image']}]")
        except SandboxFailed:
            log.exception("container_failed", execution_id=work.execution_id)
            return Outcome("error", LOST)
        if ended.end is End.GIVEN_UP:
            raise GivenUp
        reason = problem(ended)
        status, output = ("success", NOTHING) if reason is None else ("failed", reason)
        return Outcome(status, output, int(ended.seconds), ended.logs.decode(errors="replace") or None)


def arguments(given: str | None) -> list[str]:
    """Return the words for the container: of a text, or the JSON text of an object as one."""
    if given is None:
        return []
    members = orjson.loads(given)
    return str(members[PLAIN]).split() if set(members) == {PLAIN} else [given]


def problem(ended: Ended) -> str | None:
    """Say why a container has not succeeded, ``None`` when it has."""
    if ended.end is End.TIME:
        return TIMEOUT
    if ended.end is End.RESOURCES:
        return RESOURCES
    return f"The container ended with exit code {ended.code}." if ended.code else None
