"""What a decision on visits rests on: the resources of one patient, the doses or errands of an order, their visits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Generic, Protocol, TypeVar
from zoneinfo import ZoneInfo

from shared.catalogue import Drug
from shared.core import Resource, Seat, reference


class Timed(Protocol):
    """When a visit takes place; where and by whom is its service's own."""

    @property
    def start(self) -> datetime: ...

    @property
    def end(self) -> datetime: ...


class Calendar(Protocol):
    """Where days are counted: a time zone, and the days it is closed on."""

    @property
    def time_zone(self) -> ZoneInfo: ...

    @property
    def closed_on(self) -> frozenset[date]: ...


PlaceT = TypeVar("PlaceT", bound=Timed)
SiteT = TypeVar("SiteT", bound=Calendar)
VisitT = TypeVar("VisitT", bound="Visit[Any]")


@dataclass(frozen=True, slots=True)
class Facts:
    """Every current resource of the lane (oldest first), the seats taken where a time is looked for, the lanes held."""

    resources: tuple[Resource, ...]
    taken: frozenset[Seat] = frozenset()
    held: frozenset[str] = frozenset()

    def of(self, type_: str) -> Iterator[Resource]:
        """Resources of one type, latest first."""
        return (r for r in reversed(self.resources) if r["resourceType"] == type_)

    def find(self, target: str | None) -> Resource | None:
        """The resource `Type/id` names, in any version."""
        plain = (target or "").partition("/_history/")[0]
        return next((r for r in self.resources if reference(r) == plain), None)


@dataclass(frozen=True, slots=True)
class Dose:
    """Dose `number` of `of`: ordered for a day, tolerated until `last`."""

    number: int
    of: int
    on: date
    last: date


@dataclass(frozen=True, slots=True)
class Hold:
    """Attempts to hold a time: number of the latest, its expiry, how many went unanswered, and what refused it.

    `refused` is the fingerprint of the authorization that refused: the same one is not asked again.
    """

    number: int = 0
    expires: datetime | None = None
    unanswered: int = 0
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Visit(Generic[PlaceT]):
    """One dose as an Appointment: where it stands, and its place where it has one.

    `changed`: it is booked for other days, another site or another drug than the order now asks for.
    """

    id: str
    dose: Dose
    status: str
    stored: Resource | None = None
    place: PlaceT | None = None
    hold: Hold = Hold()
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Case(Generic[SiteT, VisitT]):
    """One order with its visits; `problem` says why its doses cannot be read, where they cannot."""

    order: Resource
    site: SiteT
    facts: Facts
    request: Resource | None = None
    drug: Drug | None = None
    problem: str | None = None
    visits: tuple[VisitT, ...] = ()
    unordered: tuple[VisitT, ...] = ()


AnyVisit = Visit[Any]
AnyCase = Case[Any, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one case leads to."""

    saves: tuple[Resource, ...] = ()
    wakes: Mapping[str, datetime | None] = field(default_factory=dict)
    refusals: frozenset[str] = frozenset()
    evidence: frozenset[str] = frozenset()
