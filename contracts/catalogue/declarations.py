"""The services' declarations as the catalogue reads them: who says what about which kinds, and who reads them.

A kind is a resource type, or `Type#code` where owner and profile hang on the code (`shared/borders.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services import declared
from shared import refused
from shared.borders import PROFILE
from shared.core import Service
from shared.messages import EVENT
from shared.settings import ROOT, load_site

ANY = "any"
"""A focus of any kind its producer saves."""


class DeclarationError(Exception):
    """A reason whose sentence does not say what the message is about, or names what its service does not save."""


@dataclass(frozen=True, slots=True)
class Said:
    """One message: who says it, its name, the kinds its focus may have, and when it is said."""

    producer: Service
    reason: str
    focus: tuple[str, ...]
    when: str

    @property
    def event(self) -> str:
        """The `eventUri` of its MessageHeader."""
        return EVENT + self.reason

    @property
    def key(self) -> str:
        """Its name in documents: two services may say the same reason."""
        return f"{self.producer.name}.{self.reason}"


@dataclass(frozen=True, slots=True)
class Hearing:
    """Who hears a message: those who read its focus, and those who read only what else it may carry."""

    focus: tuple[str, ...]
    rest: tuple[str, ...]


def demo_services() -> tuple[Service, ...]:
    """The declarations for the demo practice, in the order of the journey."""
    site = load_site(ROOT / "deploy" / "sites" / "demo.yaml", partners_url="http://partners", base_url="http://carepod")
    return declared(site)


def type_of(kind: str) -> str:
    """The resource type of a kind."""
    return kind.partition("#")[0]


def kinds_of(service: Service) -> tuple[str, ...]:
    """Every kind a service saves."""
    profiled = {type_of(k) for k in service.profiles}
    return tuple(sorted({*service.profiles, *(service.owns - profiled)}))


def profile_of(service: Service, kind: str) -> str | None:
    """The canonical with version that a service declares on what it saves of this kind."""
    return PROFILE + service.profiles[kind] if kind in service.profiles else None


def said_by(service: Service) -> tuple[Said, ...]:
    """Every message of a service, by name. Raises DeclarationError."""
    return tuple(_said(service, reason, service.reasons[reason]) for reason in sorted(service.reasons))


def _said(service: Service, reason: str, sentence: str) -> Said:
    """`<kind> or <kind>: <when>`, or `any: <when>`."""
    about, colon, when = sentence.partition(": ")
    focus = kinds_of(service) if about == ANY else tuple(about.split(" or "))
    if not colon or not set(focus) <= set(kinds_of(service)):
        raise DeclarationError(f"{service.name}: {reason}: `<kinds it saves>: <when it is said>` would be right")
    return Said(service, reason, focus, when[:1].upper() + when[1:])


def read_by(hearer: Service, producer: Service) -> tuple[str, ...]:
    """The kinds one service reads of what another one saves."""
    if hearer.name == producer.name:
        return ()
    return tuple(k for k in kinds_of(producer) if _reads(hearer, k))


def _reads(hearer: Service, kind: str) -> bool:
    return kind in hearer.reads if hearer.reads else type_of(kind) in hearer.listens


def readers_of(services: Sequence[Service], producer: Service, kind: str) -> tuple[str, ...]:
    """The services that read this kind of a producer."""
    return tuple(s.name for s in services if kind in read_by(s, producer))


def carried_kinds(said: Said) -> tuple[str, ...]:
    """What a message may carry: anything its producer saves, for a decision travels whole; the loop's own one Task."""
    return said.focus if said.reason in refused.REASONS else kinds_of(said.producer)


def hearing(services: Sequence[Service], said: Said) -> Hearing:
    """Who hears a message."""
    carried = set(carried_kinds(said))
    read = {s.name: carried & set(read_by(s, said.producer)) for s in services}
    focus = tuple(name for name, kinds in read.items() if kinds & set(said.focus))
    return Hearing(focus, tuple(name for name, kinds in read.items() if kinds and name not in focus))
