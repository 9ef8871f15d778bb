"""Which network addresses are public: those of the Internet, by whatever way they are written."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
"""All that networks of the Internet have (RFC 4291, section 2.4); whatever else there is serves other ends."""
NAT64: Final = IPv6Network("64:ff9b::/96")
"""An address of IPv4 in its last 32 bits, as gateways to it are called (RFC 6052)."""
IPV4_MASK: Final = 0xFFFF_FFFF
RESERVED: Final = (IPv4Network("192.88.99.0/24"), IPv6Network("3fff::/20"))
"""What `ipaddress` takes for global: relays of 6to4, which are no more (RFC 7526), and documentation (RFC 9637)."""


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of the Internet: of one host, and not in a private or reserved network.

    An address of IPv6 that leads to one of IPv4 is as public as that is.
    """
    if isinstance(address, IPv6Address):
        inner = ipv4_within(address)
        if inner is not None:
            return is_public(inner)
        if address not in GLOBAL_UNICAST:
            return False
    return address.is_global and not address.is_multicast and not any(address in network for network in RESERVED)


def ipv4_within(address: IPv6Address) -> IPv4Address | None:
    """The address of IPv4 that one of IPv6 leads to."""
    if address in NAT64:
        return IPv4Address(int(address) & IPV4_MASK)
    return address.ipv4_mapped or address.sixtofour
