"""Tells the tracker of a worker's record at once; the event of the same change heals what this misses."""

from auth_service.settings import AuthSettings
from auth_service.workers import Worker
from chassis.errors import Unavailable
from chassis.internal import InternalClient


class Tracker:
    """The tracker-service, or nothing when its address is not configured."""

    def __init__(self, settings: AuthSettings) -> None:
        self._client = settings.tracker_url and InternalClient(
            settings.tracker_url, service="tracker", caller="auth", key=settings.internal_key.get_secret_value()
        )

    def learn(self, worker: Worker) -> None:
        """Return when the tracker has this version of the record; raises ``Unavailable`` when it does not say so."""
        if not self._client:
            return
        status, _ = self._client.post(f"/internal/workers/{worker.id}", worker.record())
        if status != 200:
            raise Unavailable("tracker-service")
