"""What is legal R4 and is not taken from outside: signs nobody sees, addresses inside, doses nobody can be given.

Law of this file: it looks at text alone. Nothing is resolved and nothing is fetched, so a name that leads inside later
on (rebinding) gains nothing: no address a client sends is ever opened unless the configuration names its system.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Sequence
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any
from urllib.parse import urlsplit

from shared.core import Resource
from shared.fhir.outcomes import Issue

MOST_OF_A_DOSE = 10**9
"""Of any unit; a dose is below it."""

_UNSEEN = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_HOST = re.compile(r"[a-z0-9.:-]+")
_INSIDE = ("localhost", "local", "internal", "lan", "home", "corp")
_UCUM = "http://unitsofmeasure.org"
_UNIT = re.compile(r"[!-~]+")
_DOSES = frozenset(("doseQuantity", "rateQuantity", "maxDosePerAdministration", "maxDosePerLifetime", "dose"))
_RANGES = frozenset(("doseRange", "rateRange"))
_TOLD = _DOSES | _RANGES | {"identifier", "contained"}
_PARTS = frozenset(("reference", "url", "subscriberId"))
"""An object that goes by none of these names and has none of these parts has nothing that is looked at."""


def suspicious(resource: Resource, known: Sequence[str] = ()) -> list[Issue]:
    """Every issue of one resource that has passed base R4; `known` are bases of systems the configuration names."""
    found: list[Issue] = []
    bases = tuple(f"{base.rstrip('/')}/" for base in known)
    _walk(str(resource["resourceType"]), "", resource, bases, found)
    return found


def _walk(path: str, name: str, value: Any, known: tuple[str, ...], found: list[Issue]) -> None:
    if value.__class__ is list:
        for at, item in enumerate(value):
            if item.__class__ is not str:
                _walk(f"{path}[{at}]", name, item, known, found)
    elif value.__class__ is dict:
        if name in _TOLD or not _PARTS.isdisjoint(value):
            found += _wrong(path, name, value, known)
        for key, item in value.items():
            if item.__class__ is dict or item.__class__ is list:
                _walk(f"{path}.{key}", key, item, known, found)


def _wrong(path: str, name: str, value: Resource, known: tuple[str, ...]) -> Iterator[Issue]:
    """What is wrong with one object itself."""
    if name in ("identifier", "contained") or "subscriberId" in value:
        yield from _hidden(path, value)
    if name not in ("extension", "modifierExtension"):
        for element in ("reference", "url"):
            text = value.get(element)
            if isinstance(text, str) and not text.startswith(known) and leads_inside(text):
                yield Issue("value", f"{path}.{element}", "an address of the public Internet by http or https, or none")
    if name in _DOSES:
        yield from _overdosed(path, value)
    elif name in _RANGES:
        for end in ("low", "high"):
            yield from _overdosed(f"{path}.{end}", value.get(end) or {})


def _hidden(path: str, value: Resource) -> Iterator[Issue]:
    for element in ("system", "value", "subscriberId"):
        text = value.get(element)
        if isinstance(text, str) and _UNSEEN.search(text):
            yield Issue("value", f"{path}.{element}", "an identifier of signs that are seen would be right")


def _overdosed(path: str, quantity: Any) -> Iterator[Issue]:
    if not isinstance(quantity, dict):
        return
    value, code = quantity.get("value"), quantity.get("code")
    if isinstance(value, int | Decimal) and not 0 <= value < MOST_OF_A_DOSE:
        yield Issue("business-rule", f"{path}.value", f"a dose from 0 to below {MOST_OF_A_DOSE} would be right")
    if quantity.get("system") == _UCUM and isinstance(code, str) and not _UNIT.fullmatch(code):
        yield Issue("code-invalid", f"{path}.code", "a unit of UCUM would be right")


def leads_inside(address: str) -> bool:
    """Whether an absolute address is none of http or https on the public Internet, in whatever way it is written.

    What has no scheme leads nowhere by itself; a urn is a name.
    """
    scheme = _SCHEME.match(address)
    if scheme is None or scheme[1].lower() == "urn":
        return False
    if scheme[1].lower() not in ("http", "https"):
        return True
    try:
        host = (urlsplit(address.replace("\\", "/")).hostname or "").rstrip(".").lower()
    except ValueError:
        return True
    if not _HOST.fullmatch(host):
        return True
    number = _number(host)
    if number is not None:
        return not number.is_global
    return "." not in host or host.rpartition(".")[2] in _INSIDE


def _number(host: str) -> IPv4Address | IPv6Address | None:
    """The IP address a host is, also as one number, in octal, in hex or shortened; None for a name."""
    try:
        found = ip_address(host)
    except ValueError:
        try:
            return IPv4Address(socket.inet_aton(host))
        except OSError:
            return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found
