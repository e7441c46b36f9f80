"""Every address there is, found by walking the resolver: what is not in the matrix is found out here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import URLPattern, URLResolver, get_resolver

from tests.security import matrix, pages

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
PAGES = {*(name for name, _ in pages.PAGES), *pages.ELSEWHERE}


@dataclass(frozen=True, slots=True)
class Address:
    """One address by name, the methods its view knows (empty: a function, which knows by itself), and its parts."""

    name: str
    methods: tuple[str, ...]
    route: str
    parts: tuple[str, ...]


def addresses() -> list[Address]:
    """All of them."""
    return list(_walk(get_resolver(), "", ""))


def unlisted() -> list[str]:
    """Addresses and methods that the matrix says nothing about."""
    found = []
    for address in addresses():
        if address.name.startswith("api:"):
            name = address.name.removeprefix("api:")
            methods = address.methods or ("GET",)
            found += [f"{address.name} {method}" for method in methods if (name, method) not in matrix.API]
        elif (address.name or address.route).startswith((matrix.ADMIN, *matrix.SIGN_ON)):
            continue
        elif address.name not in PAGES:
            found.append(address.name or address.route)
    return found


def stale() -> list[str]:
    """Entries of the matrix that lead nowhere."""
    there = addresses()
    names = {address.name for address in there}
    api = {(address.name.removeprefix("api:"), method) for address in there for method in (address.methods or ("GET",))}
    gone = [f"{name} {method}" for name, method in matrix.API if (name, method) not in api]
    return gone + [name for name in PAGES if name not in names]


def _walk(resolver: URLResolver, route: str, space: str) -> Iterator[Address]:
    for pattern in resolver.url_patterns:
        whole = route + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{space}{pattern.namespace}:" if pattern.namespace else space
            yield from _walk(pattern, whole, inner)
        elif isinstance(pattern, URLPattern):
            yield _address(pattern, whole, space)


def _address(pattern: URLPattern, route: str, space: str) -> Address:
    view = getattr(pattern.callback, "cls", None) or getattr(pattern.callback, "view_class", None)
    methods = () if view is None else tuple(method for method in METHODS if hasattr(view, method.lower()))
    parts = tuple(re.findall(r"<(?:\w+:)?(\w+)>", route))
    name = pattern.name or ""
    # A second route to the same function goes under the first one's name.
    if not name and space == "api:":
        name = "reference"
    return Address(space + name, methods, route, parts)
