"""The process ``python -m workqueue_service transfer``."""

import os
import sys
from collections.abc import Callable

from chassis.health import Check
from chassis.internal import service_token
from chassis.logs import configure
from chassis.worker import Component, WorkerProcess
from workqueue_service.transfer.definitions import Remotes
from workqueue_service.transfer.egress import EgressProxy
from workqueue_service.transfer.endpoints import Host
from workqueue_service.transfer.errors import PermanentError
from workqueue_service.transfer.rclone import RcloneDaemon
from workqueue_service.transfer.service import HttpWorkqueue
from workqueue_service.transfer.settings import TransferSettings
from workqueue_service.transfer.sites import Sites
from workqueue_service.transfer.worker import TransferWorker


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings = TransferSettings.load()
    configure("transfer", settings.log_level, settings.log_format, sys.stdout)
    try:
        egress = EgressProxy(settings.workqueue_networks)
        rclone = RcloneDaemon(settings.transfer_bandwidth, proxy=egress.address)
    except PermanentError as error:
        sys.stderr.write(f"cannot start: {error.message}\n")
        raise SystemExit(os.EX_CONFIG) from None
    workqueue = HttpWorkqueue(settings.workqueue_url, credential(settings))
    sites = Sites(rclone, host_of(settings, egress.address))
    worker = TransferWorker(rclone, sites, workqueue, settings.transfer_slots, settings.transfer_lease)
    components: list[Component] = [_Stoppable(egress), _Stoppable(rclone), worker]
    WorkerProcess(components, checks(rclone, worker), settings.host, settings.port, settings.shutdown_grace).run()


def credential(settings: TransferSettings) -> Callable[[], dict[str, str]]:
    """Return what makes the headers that prove the worker: its secret, or a fresh service token."""
    if settings.worker_id:
        headers = {"X-Worker-ID": settings.worker_id, "X-Secret": settings.worker_secret.get_secret_value()}
        return lambda: headers
    key = settings.internal_key.get_secret_value() if settings.internal_key else ""
    return lambda: {"Authorization": f"Bearer {service_token(key, 'workqueue', 'workqueue')}"}


def host_of(settings: TransferSettings, proxy: str) -> Host:
    """Return what the operator allows on this host."""
    remotes = Remotes(settings.transfer_rclone_config)
    return Host(settings.workqueue_file_roots, settings.transfer_known_hosts, remotes, proxy)


def checks(rclone: RcloneDaemon, worker: TransferWorker) -> dict[str, Check]:
    """Return what ``/readyz`` asks."""
    return {
        "rclone": lambda: None if rclone.pid else "rclone does not run",
        "workqueue": lambda: None if worker.reached else "the workqueue does not answer",
    }


class _Stoppable:
    """What the worker stands on, as a component that is stopped after it."""

    def __init__(self, part: RcloneDaemon | EgressProxy) -> None:
        self._part = part

    def start(self) -> None:
        self._part.start()

    def stop(self, timeout: float) -> None:
        self._part.stop(timeout)
