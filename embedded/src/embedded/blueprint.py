"""Which processes the house has, and what each of them is told."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import IO

from embedded import leash
from embedded.forks import ForkServer, NoZygote
from embedded.ports import free_port
from embedded.probe import answers
from embedded.services import ServiceRow, flavour
from embedded.supervisor import Process, Program
from embedded.vault import Vault, fernet_key

_LOCAL = "127.0.0.1"
# These mean something else to a service than to the launcher.
_OF_THE_LAUNCHER = {"TASKYARD_HOST", "TASKYARD_PORT", "TASKYARD_DATABASE_URL", "TASKYARD_AMQP_URL"}


@dataclass(frozen=True)
class Command:
    """A Python module to run, with its arguments and its whole environment."""

    words: Sequence[str]
    environment: Mapping[str, str]
    forks: ForkServer | None = None

    def start(self, output: IO[bytes]) -> Process:
        """Start it as a fork of its zygote; without one, as a child of this thread."""
        if self.forks is not None:
            with contextlib.suppress(NoZygote):
                return self.forks.fork(self.words, self.environment, output)
        return leash.start([sys.executable, "-m", *self.words], env=self.environment, output=output)

    def run(self) -> None:
        """Run it to its end, whatever that is; what it prints is of no interest."""
        words = [sys.executable, "-m", *self.words]
        subprocess.run(words, env=self.environment, capture_output=True, check=False)  # noqa: S603


@dataclass
class Blueprint:
    """The programs of one house. `database_url` maps a database's name to its address; `grace` is in seconds."""

    services: Sequence[ServiceRow]
    gate_module: str
    host: str
    port: int
    data: Path
    database_url: Callable[[str], str]
    amqp_url: str
    vault: Vault
    grace: float
    extra: Mapping[str, str]
    forks: Mapping[str, ForkServer]  # by flavour
    _ports: dict[str, int] = field(default_factory=dict)

    def port_of(self, process: str) -> int:
        """The port of a process behind the gate; the same as long as this object lives."""
        return self._ports.setdefault(process, free_port())

    def environment(self, row: ServiceRow) -> dict[str, str]:
        """What all processes of a service get, except their port."""
        settings = {
            "TASKYARD_HOST": _LOCAL,
            "TASKYARD_DATABASE_URL": self.database_url(row.database),
            "TASKYARD_AMQP_URL": self.amqp_url,
            "TASKYARD_INTERNAL_KEY": self.vault.get("internal-key"),
            **{f"TASKYARD_{other.name.upper()}_URL": self._address(other, "http://") for other in self.services},
        }
        if row.keeps_secrets:
            settings["TASKYARD_SECRET_KEY"] = self.vault.get(f"{row.name}.secret-key", fernet_key)
        return {**self._common(), **settings}

    def migrations(self) -> dict[str, Command]:
        """What migrates each service's database, by the name of its log."""
        return {
            f"{row.name}-migrate": self._command(row, "migrate", {**self.environment(row), "TASKYARD_PORT": "0"})
            for row in self.services
        }

    def programs(self) -> list[Program]:
        """The processes of the services, and the gate."""
        return [self._process(row, kind) for row in self.services for kind in row.kinds] + [self._gate()]

    def _process(self, row: ServiceRow, kind: str) -> Program:
        name = f"{row.name}-{kind}"
        port = self.port_of(name)
        environment = {**self.environment(row), "TASKYARD_PORT": str(port)}
        return self._program(name, self._command(row, kind, environment), port, "/readyz")

    def _command(self, row: ServiceRow, kind: str, environment: Mapping[str, str]) -> Command:
        # Several workers of an API add up their metrics, which they must know before they load anything.
        several = kind == "api" and environment.get("TASKYARD_API_WORKERS", "1") != "1"
        return Command([row.module, kind], environment, None if several else self.forks.get(flavour(kind)))

    def _gate(self) -> Program:
        admin = self.port_of("gate-admin")
        environment = {
            **self._common(),
            "TASKYARD_HOST": self.host,
            "TASKYARD_PORT": str(self.port),
            "TASKYARD_ADMIN_PORT": str(admin),
            **{f"TASKYARD_UPSTREAM_{row.name.upper()}": self._address(row) for row in self.services},
        }
        gate = self._program("gate", Command([self.gate_module], environment), admin, "/ready")
        # Envoy ends at once when it is told to: requests on their way are finished before.
        return replace(gate, finish=Command([self.gate_module, "drain"], environment).run)

    def _program(self, name: str, command: Command, port: int, ready_path: str) -> Program:
        return Program(name, command.start, partial(answers, port, ready_path), grace=self.grace)

    def _common(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name not in _OF_THE_LAUNCHER}
        return {
            **inherited,
            "PYTHONUNBUFFERED": "1",
            "TASKYARD_DATA": str(self.data),
            "TASKYARD_WORKQUEUE_FILE_ROOTS": os.environ.get("TASKYARD_WORKQUEUE_FILE_ROOTS", str(self.data / "files")),
            "TASKYARD_SHUTDOWN_GRACE": f"{self.grace:g}",
            **self.extra,
        }

    def _address(self, row: ServiceRow, scheme: str = "") -> str:
        return f"{scheme}{_LOCAL}:{self.port_of(f'{row.name}-api')}"
