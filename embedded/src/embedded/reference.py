"""Writes docs/reference/settings.md from the settings classes: `python -m embedded.reference`."""

from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from auth_service.settings import AuthSettings
from chassis.settings import Settings
from embedded.settings import HouseSettings
from gateway.settings import GateSettings
from poller_service.settings import PollerSettings
from scheduler_service.settings import SchedulerSettings
from tracker_service.settings import TrackerSettings
from workqueue_service.settings import WorkqueueSettings
from workqueue_service.transfer.settings import TransferSettings

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "settings.md"

INTRODUCTION = """# Settings

<!-- Written by `python -m embedded.reference`; change the settings classes instead. -->

Every process reads its settings from the environment once, at its start, and ends with status 78 and the names of what
is missing or wrong. A service's settings may also be files of the same name in lower case, in the directory that
`TASKYARD_SECRETS_DIR` names. Durations are in seconds.
"""

SECTIONS: tuple[tuple[str, str, type[BaseSettings], type[BaseSettings] | None], ...] = (
    ("The one-machine run", "`make run`", HouseSettings, None),
    ("The gate", "`python -m gateway`", GateSettings, None),
    ("Every service", "`python -m <name>_service api|worker|migrate`", Settings, None),
    ("auth-service", "besides the settings of every service", AuthSettings, Settings),
    ("tracker-service", "besides the settings of every service", TrackerSettings, Settings),
    ("workqueue-service", "besides the settings of every service", WorkqueueSettings, Settings),
    ("The transfer worker", "`python -m workqueue_service transfer`", TransferSettings, None),
    ("scheduler-service", "besides the settings of every service", SchedulerSettings, Settings),
    ("poller-service", "besides the settings of every service", PollerSettings, Settings),
)


def page() -> str:
    """Return the page."""
    return INTRODUCTION + "".join(_section(*section) for section in SECTIONS)


def _section(title: str, scope: str, settings: type[BaseSettings], base: type[BaseSettings] | None) -> str:
    inherited = set(base.model_fields) if base else set()
    rows = [_row(name, field) for name, field in settings.model_fields.items() if name not in inherited]
    return f"\n## {title}\n\n{scope}\n\n| Variable | Default | Meaning |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def _row(name: str, field: FieldInfo) -> str:
    default = "required" if field.is_required() else _plain(field.get_default(call_default_factory=True))
    return f"| `TASKYARD_{name.upper()}` | {default} | {_meaning(name, field)} |"


def _meaning(name: str, field: FieldInfo) -> str:
    return " ".join((field.description or name.replace("_", " ")).replace("``", "`").split()).replace("|", "\\|")


def _plain(value: Any) -> str:
    if value is None or value == ():
        return "-"
    if isinstance(value, Path) and value.is_absolute():
        return "in the package"
    if isinstance(value, tuple | frozenset):
        return ", ".join(sorted(map(str, value)))
    return f"`{value}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
