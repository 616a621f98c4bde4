"""Which patients a client may see: those it has sent, and all of them only where the site file says so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from shared.app import Application
from shared.core import IDENTIFIERS, PRACTICE_ONLY_LABEL, Resource, derived_id
from shared.fhir.references import literals
from shared.smart.clients import OURSELVES
from shared.smart.tokens import Access

Found = tuple[Resource, str | None]
"""A resource and its patient."""

_SUBJECTS = ("subject", "for", "patient", "beneficiary", "securityContext")
_LANE = "patient/"

SENT = f"system not like '{IDENTIFIERS}subscription-%'"
"""Of the identity map, what says that a client has sent a record: to tell of an event about it (systems
`subscription-number`, `subscription-event`) is not to send it.
"""


def patient_of(resource: Resource) -> str | None:
    """The id of the patient a resource is about, or None."""
    if resource["resourceType"] == "Patient":
        return str(resource["id"])
    places: list[Any] = [resource.get(name) for name in _SUBJECTS]
    places += [p.get("actor") for p in resource.get("participant", ()) if isinstance(p, Mapping)]
    named = (str(p.get("reference", "")) for p in places if isinstance(p, Mapping))
    return next((text.partition("/")[2] for text in named if text.startswith("Patient/")), None)


def patient_of_lane(lane: str) -> str | None:
    """The patient whose lane it is; None of a lane of capacity."""
    return lane.removeprefix(_LANE) if lane.startswith(_LANE) else None


class Sight:
    """What the identity map of the door says about who has sent whom."""

    def __init__(self, app: Application) -> None:
        self._site, self._door = app.site, app.door

    def unlimited(self, access: Access) -> bool:
        """Whether it is one of our own processes, or a client the practice lets see every patient."""
        referrer = self._site.referrers.get(access.client_id)
        return self.is_ours(access) or (referrer is not None and referrer.sees_all)

    def brings(self, client: str, kind: str) -> bool:
        """Whether a client may send records of this kind of patients it has not sent."""
        referrer = self._site.referrers.get(client)
        return referrer is not None and kind in referrer.brings

    def is_ours(self, access: Access) -> bool:
        """Whether it is one of our own processes."""
        return access.client_id == OURSELVES

    async def among(self, access: Access, found: Sequence[Found]) -> list[Found]:
        """Those of what was found that the client may see."""
        patients = await self.seen(access, (patient for _, patient in found))
        may = [(r, p) for r, p in found if (p in patients or self.asked_of(access, r)) and not self.hidden(access, r)]
        return list(zip(await self.shown(access, [r for r, _ in may]), (p for _, p in may), strict=True))

    async def shown(self, access: Access, resources: Sequence[Resource]) -> list[Resource]:
        """Resources as the client may have them: without what links them to a patient whom another client has sent.

        The practice links the records of one person; whose the other one is, and that there is one, is its own.
        """
        if self._door is None or self.unlimited(access):
            return list(resources)
        prefix = self._door.service.prefix
        linked = {place for r in resources for place in _all(r, prefix)}
        own = {place for r in resources for place in _named_by(access.client_id, r, prefix)}
        seen = await self.seen(access, (place.removeprefix("Patient/") for place in linked - own))
        strange = frozenset(linked - own - {f"Patient/{one}" for one in seen})
        return [_without(r, strange, prefix) if strange.intersection(_all(r, prefix)) else r for r in resources]

    async def restored(self, access: Access, stored: Resource, sent: Resource) -> Resource:
        """A Patient as he is sent, with the links that were not shown: nobody takes back what he cannot see."""
        [shown] = await self.shown(access, [stored])
        left = [e for e in stored.get("link", ()) if shown is not stored and e not in shown.get("link", ())]
        return {**sent, "link": [*sent.get("link", ()), *left]} if left else sent

    def asked_of(self, access: Access, resource: Resource) -> bool:
        """Whether it is a Task an outside nursing agency is asked to do, and the client is that agency."""
        asked = resource.get("owner", {}).get("identifier", {}) if resource["resourceType"] == "Task" else {}
        home = self._site.home if asked.get("system") == IDENTIFIERS + "agency" else None
        agency = home.agency(str(asked.get("value"))) if home is not None else None
        return agency is not None and agency.client == access.client_id

    def hidden(self, access: Access, resource: Resource) -> bool:
        """Whether a resource is for the practice alone, whoever its patient is."""
        labels = resource.get("meta", {}).get("security", ())
        return PRACTICE_ONLY_LABEL in [_bare(c) for c in labels] and not self.unlimited(access)

    async def seen(self, access: Access, patients: Iterable[str | None]) -> frozenset[str | None]:
        """Those of these patients that the client may see; None, no patient at all, only where it sees all."""
        asked = frozenset(patients)
        if self.unlimited(access):
            return asked
        ids = sorted(p for p in asked if p is not None)
        if self._door is None or not ids:
            return frozenset()
        async with self._door.database.reading() as tx:
            sql = f"select distinct id from identity where client = $1 and id = any($2) and {SENT}"  # noqa: S608 (ours)
            return frozenset(row[0] for row in await tx.fetch(sql, access.client_id, ids))


_LINKING = frozenset({"link", "extension"})
"""Elements by which a record names other records of the same person."""


def _all(resource: Resource, prefix: str) -> Iterator[str]:
    return (place for name in _LINKING & resource.keys() for e in resource[name] for place in _patients(e, prefix))


def _patients(element: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """`Patient/id` of each patient of ours an element names, under whatever address."""
    places = map(place_of, literals(element))
    return (place for place in places if place.startswith(f"Patient/{prefix}-"))


def _named_by(client: str, resource: Resource, prefix: str) -> Iterator[str]:
    """`Patient/id` of each record that a link names by the identifier its client knows it by, sent or still to come."""
    links = resource.get("link", ()) if resource["resourceType"] == "Patient" else ()
    return (place for link in links if (place := named_by(client, link.get("other", {}), prefix)) is not None)


def _without(resource: Resource, strange: frozenset[str], prefix: str) -> Resource:
    """The resource without the elements that link it to one of these patients."""
    kept = {
        name: [e for e in resource[name] if not strange.intersection(_patients(e, prefix))]
        for name in _LINKING & resource.keys()
    }
    return {k: kept.get(k, v) for k, v in resource.items() if k not in kept or kept[k]}


def place_of(text: str) -> str:
    """`Type/id` of a literal reference, under whatever address and in whichever version."""
    return "/".join(text.partition("/_history/")[0].split("/")[-2:])


def named_by(client: str, other: Resource, prefix: str) -> str | None:
    """`Patient/id` a Reference leads to, where its identifier is the one this client knows that record by."""
    known = other.get("identifier", {})
    key = (client, str(known.get("system")), str(known.get("value")))
    place = f"Patient/{derived_id(prefix, 'Patient', *key)}" if known else None
    return place if place == place_of(str(other.get("reference", ""))) else None


def _bare(label: Mapping[str, Any]) -> dict[str, Any]:
    return {name: label.get(name) for name in ("system", "code")}
