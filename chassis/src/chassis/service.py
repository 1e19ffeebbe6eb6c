"""What makes a service: its name, its settings, its API, its background work, its migrations."""

import atexit
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask

from chassis.database import Database
from chassis.health import Check
from chassis.settings import Settings
from chassis.worker import Component

Background = tuple[Sequence[Component], Mapping[str, Check]]


@dataclass(frozen=True)
class Service:
    """One service of the house; :mod:`chassis.cli` runs it."""

    name: str
    settings: type[Settings]
    create_app: Callable[[Any, Database], Flask]
    background: Callable[[Any, Database], Background]
    migrations: Sequence[Path] = field(default_factory=tuple)

    def database(self, settings: Settings, role: str) -> Database:
        """Return the service's database, opened, for the process ``role``; it closes with the process."""
        database = Database(
            settings.database_url.get_secret_value(),
            name=f"taskyard-{self.name}-{role}",
            max_size=settings.database_connections,
        ).open()
        atexit.register(database.close)
        return database
