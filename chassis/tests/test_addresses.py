"""Addresses that the house does not reach for its users (design 11)."""

from ipaddress import ip_address, ip_network

import pytest
from pydantic import TypeAdapter

from chassis.addresses import AddressRefused, Networks, is_internal, is_written_internal, pinned


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1", "fc00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2001:db8::1",
        "2001:0:7f00:1::", "fec0::1", "feff:1::1", "192.88.99.1",
    ],
)  # fmt: skip
def test_internal_addresses(text: str) -> None:
    assert is_internal(ip_address(text))
    with pytest.raises(AddressRefused):
        pinned("example.org", 80, [], lambda *_: [text])


@pytest.mark.parametrize(
    "text", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_addresses(text: str) -> None:
    assert not is_internal(ip_address(text))
    assert pinned("example.org", 80, [], lambda *_: [text]) == str(ip_address(text))


def test_one_internal_address_among_others_is_enough() -> None:
    with pytest.raises(AddressRefused):
        pinned("example.org", 80, [], lambda *_: ["8.8.8.8", "127.0.0.1"])


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "::1",
        "localhost",
        "LocalHost.",
        "a.localhost",
        "10.0.0.1",
    ],
)
def test_hosts_that_are_written_internal(host: str) -> None:
    """However it is written, and without asking anybody."""
    assert is_written_internal(host, [])
    assert not is_written_internal(host, [ip_network("127.0.0.0/8"), ip_network("::1/128"), ip_network("10.0.0.0/8")])


@pytest.mark.parametrize("host", ["example.org", "localhost.example.org", "8.8.8.8", "bücher.example", "a" * 300, ""])
def test_hosts_that_are_not_written_internal(host: str) -> None:
    """What a name stands for is looked up when it is used."""
    assert not is_written_internal(host, [])


def test_networks_as_a_setting() -> None:
    """Separated by commas."""
    assert TypeAdapter(Networks).validate_python("10.0.0.0/8, ::1/128,") == (
        ip_network("10.0.0.0/8"),
        ip_network("::1/128"),
    )
