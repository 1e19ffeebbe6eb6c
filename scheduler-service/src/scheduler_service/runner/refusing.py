"""Ends what cannot be run here."""

from scheduler_service.sources.work import Ending, Outcome, Work


class RefusingRunner:
    """A :class:`scheduler_service.sources.work.Runner` that runs nothing, and says why."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def run(self, work: Work, ending: Ending) -> Outcome:
        """Return an error."""
        return Outcome("error", self._reason)
