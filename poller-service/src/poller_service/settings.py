"""Configuration of poller-service."""

from ipaddress import ip_network

from chassis.addresses import Networks
from chassis.settings import Settings

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


class PollerSettings(Settings):
    """What poller-service needs besides the common settings."""

    poller_trusted_networks: Networks = LOOPBACK
    """Clients in these networks need no credential (spec: poller 5); CIDRs separated by commas, none when empty."""
