"""Addresses of the services behind the gate."""

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True)
class Endpoint:
    """One address that serves a service: a name or an IP address, and a port."""

    host: str
    port: int

    @property
    def is_address(self) -> bool:
        """Whether `host` is an IP address, which needs no name server."""
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return True


def parse_endpoint(text: str) -> Endpoint:
    """Read `host:port` or `[ipv6]:port`; `ValueError` says what is wrong."""
    host, colon, port = text.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"expected host:port, got {text!r}")
    return Endpoint(host, int(port))


def parse_endpoints(text: str) -> tuple[Endpoint, ...]:
    """Read one or more endpoints separated by commas."""
    return tuple(parse_endpoint(part) for part in text.split(","))
