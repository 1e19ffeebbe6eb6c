"""Which addresses functions may reach: none inside the house (design 11)."""

import socket
from collections.abc import Callable, Collection
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from pydantic import IPvAnyNetwork

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Collection[str]]

_TRANSLATED = IPv6Network("64:ff9b::/96")


class AddressRefused(Exception):
    """The address is internal, and functions may not reach it"""


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
    for address in addresses:
        if is_internal(address) and not any(address in network for network in allowed):
            raise AddressRefused(f"{host} is an internal address")
    return str(addresses[0])


def is_internal(address: Address) -> bool:
    """Whether an address is not one of the public internet, or wraps such a one, or leads through a tunnel."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None or address in _TRANSLATED:
            return is_internal(IPv4Address(int(address) & 0xFFFFFFFF))
        if address.sixtofour is not None or address.teredo is not None:
            return True
    return not address.is_global or address.is_multicast or address.is_reserved
