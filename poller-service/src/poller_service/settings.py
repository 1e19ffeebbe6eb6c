"""Configuration of poller-service."""

from ipaddress import ip_network
from typing import Annotated

from pydantic import IPvAnyNetwork, field_validator
from pydantic_settings import NoDecode

from chassis.settings import Settings

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


class PollerSettings(Settings):
    """What poller-service needs besides the common settings."""

    poller_trusted_networks: Annotated[tuple[IPvAnyNetwork, ...], NoDecode] = LOOPBACK
    """Clients in these networks need no credential (spec: poller 5); CIDRs separated by commas, none when empty."""

    @field_validator("poller_trusted_networks", mode="before")
    @classmethod
    def _comma_separated(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
