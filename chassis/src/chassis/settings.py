"""Configuration of a process, read from the environment once at its start."""

import os
import sys
from ipaddress import ip_address, ip_network
from typing import Self

from pydantic import Field, IPvAnyNetwork, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "TASKYARD_"
PRIVATE_NETWORKS = ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")


class Settings(BaseSettings):
    """What every service process needs; services add their own fields.

    Values come from ``TASKYARD_<NAME>`` or, for secrets that are mounted as files, from
    ``$TASKYARD_SECRETS_DIR/taskyard_<name>``.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, use_attribute_docstrings=True)

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(ge=0, le=65535, description="port to listen on")
    database_url: SecretStr = Field(description="the service's own PostgreSQL database, `postgresql://...`")
    database_connections: int = Field(default=10, ge=2, description="most connections of one process")
    amqp_url: SecretStr = Field(description="the broker, `amqp://...` or `pgmq://...`")
    auth_url: str = Field(description="where auth-service answers inside the house")
    internal_key: SecretStr = Field(
        min_length=32, description="shared by all services; signs their calls to each other"
    )
    log_level: str = Field(default="info", description="debug, info, warning or error")
    log_format: str = Field(default="json", pattern="^(json|console)$", description="`json`, or `console` for people")
    shutdown_grace: float = Field(default=10.0, gt=0, description="seconds between SIGTERM and the end")
    api_workers: int = Field(default=1, ge=1, description="HTTP worker processes behind one listener")
    max_body_bytes: int = Field(default=64 * 1024 * 1024, ge=4 * 1024 * 1024, description="larger bodies get 413")
    session_cookie: str = Field(default="tt", description="name of the session cookie")
    credential_cache_seconds: float = Field(
        default=60.0, ge=0, le=60, description="how long a confirmed worker credential stays known to a process"
    )
    gate_networks: tuple[IPvAnyNetwork, ...] = Field(
        default=tuple(map(ip_network, PRIVATE_NETWORKS)),
        description="where a gate may stand, whose word on the client's address counts (a JSON list)",
    )

    def trusts(self, peer: str) -> bool:
        """Return whether ``peer`` may be a gate, whose word on the client's address counts."""
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        return any(address in network for network in self.gate_networks)

    @classmethod
    def load(cls) -> Self:
        """Read the environment; on a missing or bad value name it and end the process with status 78."""
        try:
            return cls(_secrets_dir=os.environ.get(PREFIX + "SECRETS_DIR"))  # type: ignore[call-arg]
        except ValidationError as error:
            sys.stderr.write(explain(error))
            raise SystemExit(os.EX_CONFIG) from None


def explain(error: ValidationError) -> str:
    """Return one line per wrong setting, with the name of its variable and without its value."""
    lines = [f"{PREFIX}{'.'.join(map(str, item['loc'])).upper()}: {item['msg']}" for item in error.errors()]
    return "cannot start, settings are missing or wrong:\n" + "".join(f"  {line}\n" for line in lines)
