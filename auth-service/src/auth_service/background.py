"""The background process: relay of events, the audit, new signing keys by age, deletion of what has ended."""

from auth_service.audit import DAY, handlers
from auth_service.checks import background_checks
from auth_service.container import NAME, build
from auth_service.settings import AuthSettings
from chassis.database import Database
from chassis.events import EventLoop
from chassis.service import Background
from chassis.worker import Component, Periodic, exclusively

PRUNE_SECONDS = 300.0
ROTATION_CHECK_SECONDS = 600.0
PRUNE_LOCK = 0x61757401
ROTATION_LOCK = 0x61757402


def background(settings: AuthSettings, database: Database) -> Background:
    """Return the components of the process and its checks."""
    parts = build(settings, database)

    def prune() -> None:
        parts.sessions.prune()
        parts.keys.prune()
        parts.attempts.prune()
        parts.audit.prune()

    def rotate() -> None:
        parts.signing.rotate_when_older(settings.key_rotation_days * DAY)

    events = EventLoop(database, settings.amqp_url.get_secret_value(), NAME, handlers)
    components: list[Component] = [
        events,
        Periodic("prune", PRUNE_SECONDS, exclusively(database, PRUNE_LOCK, prune)),
        Periodic("rotate_keys", ROTATION_CHECK_SECONDS, exclusively(database, ROTATION_LOCK, rotate)),
    ]
    return components, {**background_checks(database), "events": events.check}
