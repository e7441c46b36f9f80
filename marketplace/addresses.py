"""Where a request comes from: the connection's other end, or what proxies of ours say of it; never what a client says.

``X-Forwarded-For`` grows to the right: each proxy adds the address it was reached from. With ``TRUSTED_PROXIES`` of our
own before us, the entry that many places from the right was written by the outermost of them, and whatever stands left
of it was made up or might have been. The middleware puts that address in the place of the connection's and takes the
header away, so that rate limits, keys with address lists, lists of sessions and logs all see the same, and nobody reads
the header again.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse

IPV6_BLOCK = 64
"""Bits that one subscriber is given at least: who has one address there has all of them."""

_FORWARDED = "HTTP_X_FORWARDED_FOR"
_WITH_PORT = re.compile(r"\[(?P<v6>[^\]]*)\](?::\d{1,5})?|(?P<v4>[\d.]+):\d{1,5}")


class ClientAddress:
    """Middleware, the first of all; without proxies of ours it is left out and the connection's address stands."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.proxies = settings.TRUSTED_PROXIES
        if self.proxies == 0:
            raise MiddlewareNotUsed

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Put the client's address where the connection's was."""
        said = request.META.pop(_FORWARDED, "").split(",")
        # Fewer entries than proxies: this request did not come through all of them, and its list proves nothing.
        found = normal(said[-self.proxies]) if len(said) >= self.proxies else ""
        if found:
            request.META["REMOTE_ADDR"] = found
        return self.get_response(request)


def address_of(request: HttpRequest) -> str:
    """The client's address in its normal form; empty where there is none, as on a local socket."""
    return normal(request.META.get("REMOTE_ADDR", ""))


def block_of(address: str) -> str:
    """What is counted as one caller: the address, of version 6 its block of 64 bits."""
    return str(ipaddress.ip_network(f"{address}/{IPV6_BLOCK}", strict=False)) if ":" in address else address


def normal(text: str) -> str:
    """An address in its normal form, without a port; IPv4 as such also where it came as IPv6. Empty if it is none."""
    text = text.strip()
    if match := _WITH_PORT.fullmatch(text):
        text = match["v6"] or match["v4"] or ""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
