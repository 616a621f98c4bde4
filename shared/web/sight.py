"""Which patients a client may see: those it has sent, and all of them only where the site file says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shared.app import Application
from shared.core import IDENTIFIERS, PRACTICE_ONLY_LABEL, Resource
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
        return [(r, p) for r, p in found if (p in patients or self.asked_of(access, r)) and not self.hidden(access, r)]

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


def _bare(label: Mapping[str, Any]) -> dict[str, Any]:
    return {name: label.get(name) for name in ("system", "code")}
