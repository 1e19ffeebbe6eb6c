"""The whole system on this machine: database, broker, services and gate, as a Python object."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from embedded import postgres
from embedded.blueprint import Blueprint
from embedded.forks import AVAILABLE, ForkServer
from embedded.instance import Instance
from embedded.logfiles import last_words, rotate
from embedded.memory import megabytes, proportional
from embedded.ports import free_port, is_free
from embedded.server import DatabaseServer
from embedded.services import COMMON, GATE_MODULE, SERVICES, ServiceRow
from embedded.storage import Storage
from embedded.supervisor import NotReady, Program, Report, Supervised, stop_together
from embedded.vault import Vault
from embedded.watch import LogWatch


class PortTaken(Exception):
    """The gate's port is in use."""


class House:
    """Starts everything, keeps it running, stops it.

    `port` is the gate's (0: a free one). `database_url` and `amqp_url` replace the embedded PostgreSQL and the
    broker on it. `environment` is added to what every process gets. `report` takes one line of news at a time.
    Processes are named `postgres`, `<service>-api`, `<service>-worker` and `gate`. Times are in seconds.
    """

    def __init__(
        self,
        data: Path,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        database_url: str | None = None,
        amqp_url: str | None = None,
        services: Sequence[ServiceRow] = SERVICES,
        common: Mapping[str, Sequence[str]] = COMMON,
        gate_module: str = GATE_MODULE,
        environment: Mapping[str, str] | None = None,
        database_settings: Mapping[str, str] = postgres.DURABLE,
        grace: float = 10.0,
        start_timeout: float = 60.0,
        report: Report = lambda _: None,
    ) -> None:
        self.data = data.resolve()
        self.host = host
        self.port = port or free_port()
        self.logs = self.data / "logs"
        self._database_url = database_url
        self._amqp_url = amqp_url
        self._services = services
        self._common = common
        self._gate_module = gate_module
        self._extra = dict(environment or {})
        self._database_settings = database_settings
        self._grace = grace
        self._start_timeout = start_timeout
        self._report = report
        self._supervised: dict[str, Supervised] = {}
        self._forks: dict[str, ForkServer] = {}
        self._last = {"postgres", *(f"zygote-{name}" for name in common)}  # what the others need until they end

    @property
    def url(self) -> str:
        """Address of the gate."""
        return f"http://{'127.0.0.1' if self.host == '0.0.0.0' else self.host}:{self.port}"  # noqa: S104

    @property
    def processes(self) -> dict[str, int]:
        """Process ids of what runs at this moment, by name."""
        return {
            name: supervised.pid for name, supervised in self._supervised.copy().items() if supervised.pid is not None
        }

    @property
    def memory(self) -> int:
        """Proportional set size of this process and of the whole house in MiB."""
        return megabytes(proportional(os.getpid(), *self.processes.values()))

    def start(self) -> None:
        """Return when everything is ready; on a failure stop what began and raise."""
        self._open_data()
        try:
            self._start_all()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop everything, last the database. The gate ends when the services have answered what is on its way."""
        self._watch.stop()  # what processes say about their end is no news
        for is_last in (False, True):
            stop_together([part for name, part in self._supervised.items() if (name in self._last) is is_last])
        self._supervised.clear()
        for server in self._forks.values():
            server.close()
        self._instance.release()

    def kill(self, name: str) -> None:
        """Kill a process as a crash would; returns when its successor has begun."""
        self._supervised[name].kill()

    def down(self, name: str) -> None:
        """Stop a process in order and leave it stopped."""
        self._supervised[name].stop()

    def up(self, name: str) -> None:
        """Start a process that `down` stopped; returns when it is ready."""
        self._supervised[name].start()
        self.wait_ready(name)

    def restart(self, name: str) -> None:
        """Stop a process in order and start it again; returns when it is ready."""
        self.down(name)
        self.up(name)

    def wait_ready(self, name: str) -> None:
        """Return when the process is (again) ready, for instance after `kill`; `NotReady` if that takes long."""
        self._supervised[name].wait_ready(time.monotonic() + self._start_timeout)

    def wait_all_ready(self) -> None:
        """Return when every process is ready, and with that its connections to the database."""
        for name in self._supervised:
            self.wait_ready(name)

    def env(self, service: str) -> dict[str, str]:
        """What the processes of a service have in their environment, except their port: secrets included."""
        return self._blueprint.environment(next(row for row in self._services if row.name == service))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _open_data(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        self.data.chmod(0o711)  # PostgreSQL's account has to pass through
        self.logs.mkdir(mode=0o700, exist_ok=True)
        (self.data / "files").mkdir(exist_ok=True)  # where file:// sites of the workqueue may lie
        self._instance = Instance(self.data)
        self._instance.acquire()
        self._watch = LogWatch(self.logs, self._report)

    def _start_all(self) -> None:
        if not is_free(self.port, self.host):
            raise PortTaken(f"Port {self.port} is in use. TASKYARD_PORT=<another port> chooses a different one.")
        self._instance.clear_orphans(self._grace)
        self._start_zygotes()
        vault = Vault(self.data / "secrets")
        with self._step("PostgreSQL"):
            storage = Storage(self._start_database(vault), vault)
            storage.prepare([row.database for row in self._services], broker=self._amqp_url is None)
        self._blueprint = self._draw(storage, vault)
        self._instance.publish({row.name: self._blueprint.environment(row) for row in self._services})
        with self._step("migrations"):
            self._migrate()
        self._watch.start()
        with self._step("services and gate"):
            self._run(*self._blueprint.programs())

    @contextlib.contextmanager
    def _step(self, name: str) -> Iterator[None]:
        begun = time.monotonic()
        yield
        self._report(f"{name}: ready after {time.monotonic() - begun:.1f} s")

    def _start_zygotes(self) -> None:
        """Begin with what the services are forked from, so that it loads while PostgreSQL starts."""
        if not (AVAILABLE and self._services):
            return
        definitions = [row.definition for row in self._services]
        environment = {**os.environ, **self._extra, "PYTHONUNBUFFERED": "1"}
        self._forks = {
            name: ForkServer(name, [*common, *definitions], environment) for name, common in self._common.items()
        }
        self._run(*(Program(f"zygote-{name}", server.start, lambda: True) for name, server in self._forks.items()))

    def _start_database(self, vault: Vault) -> DatabaseServer:
        if self._database_url is not None:
            return DatabaseServer(self._database_url)
        place = postgres.place(self.data / "postgres")
        cluster = postgres.Cluster(place, free_port(), vault.get("postgres.password"), self._database_settings)
        cluster.create()
        self._run(Program("postgres", cluster.start, cluster.ready, signal.SIGINT, grace=30))
        return cluster.server

    def _draw(self, storage: Storage, vault: Vault) -> Blueprint:
        return Blueprint(
            services=self._services,
            gate_module=self._gate_module,
            host=self.host,
            port=self.port,
            data=self.data,
            database_url=storage.dsn,
            amqp_url=self._amqp_url or storage.broker_url(),
            vault=vault,
            grace=self._grace,
            extra=self._extra,
            forks=self._forks,
        )

    def _migrate(self) -> None:
        running = {}
        for name, command in self._blueprint.migrations().items():
            rotate(log := self.logs / f"{name}.log")
            with log.open("wb") as output:
                running[name] = command.start(output)
        failed = [name for name, process in running.items() if process.wait() != 0]
        for name in failed:
            raise NotReady(f"{name} failed. Its last words:\n{last_words(self.logs / f'{name}.log')}")

    def _run(self, *programs: Program) -> None:
        for program in programs:
            log = self.logs / f"{program.name}.log"
            self._supervised[program.name] = Supervised(program, log, self._report, started=self._remember)
            self._supervised[program.name].start()
        for program in programs:
            self.wait_ready(program.name)

    def _remember(self) -> None:
        self._instance.remember(self.url, self.processes)
