"""Which addresses the house reaches for its users: none inside the house, unless the operator allows it (design 11)."""

import socket
from collections.abc import Callable, Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Annotated

from pydantic import BeforeValidator, IPvAnyNetwork
from pydantic_settings import NoDecode

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Collection[str]]


def comma_separated(value: object) -> object:
    """Return the parts of a setting that is written as a text."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Networks = Annotated[tuple[IPvAnyNetwork, ...], NoDecode, BeforeValidator(comma_separated)]
"""A setting: CIDRs separated by commas."""

_TRANSLATED = IPv6Network("64:ff9b::/96")
# Local addresses of old (RFC 3879), which many networks still keep to themselves, and the relays of 6to4.
_FORMER = (IPv6Network("fec0::/10"), IPv4Network("192.88.99.0/24"))


class AddressRefused(Exception):
    """The address is internal, and the operator does not allow it"""


def resolve(host: str, port: int) -> list[str]:
    """Return every address of a host, as the system knows them; raise OSError when there is none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(item[4][0]).partition("%")[0] for item in found))


def pinned(host: str, port: int, allowed: Collection[IPvAnyNetwork], look_up: Resolve = resolve) -> str:
    """Return the one address to connect to, looked up once: a second look could find another.

    Raises :class:`AddressRefused` when any address of the host is internal and not in ``allowed``, and OSError.
    """
    addresses = [ip_address(text) for text in look_up(host, port)]
    if not addresses:
        raise OSError("no address")
    if not all(is_allowed(address, allowed) for address in addresses):
        raise AddressRefused(f"{host} is an internal address")
    return str(addresses[0])


def is_written_internal(host: str, allowed: Collection[IPvAnyNetwork]) -> bool:
    """Whether a host is written as an internal address that is not allowed; a name other than localhost never is.

    Every way of writing an address counts (``127.1``, ``0x7f.1``); nothing is looked up.
    """
    try:
        found = socket.getaddrinfo(host.rstrip("."), None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        name = host.rstrip(".").lower()
        found = socket.getaddrinfo("127.0.0.1", None) if name == "localhost" or name.endswith(".localhost") else []
    addresses = [ip_address(str(item[4][0]).partition("%")[0]) for item in found]
    return not all(is_allowed(address, allowed) for address in addresses)


def is_allowed(address: Address, allowed: Collection[IPvAnyNetwork]) -> bool:
    """Whether an address is public, or in a network that the operator allows."""
    return not is_internal(address) or any(address in network for network in allowed)


def is_internal(address: Address) -> bool:
    """Whether an address is not one of the public internet, or wraps such a one, or leads through a tunnel."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None or address in _TRANSLATED:
            return is_internal(IPv4Address(int(address) & 0xFFFFFFFF))
        if address.sixtofour is not None or address.teredo is not None:
            return True
    if any(address in network for network in _FORMER):
        return True
    return not address.is_global or address.is_multicast or address.is_reserved
