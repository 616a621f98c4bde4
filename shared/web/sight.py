"""Which patients a client may see: those it has sent, and all of them only where the site file says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from shared.app import Application
from shared.core import Resource
from shared.smart.clients import OURSELVES
from shared.smart.tokens import Access

_SUBJECTS = ("subject", "for", "patient", "beneficiary")
_LANE = "patient/"


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
        return access.client_id == OURSELVES or (referrer is not None and referrer.sees_all)

    async def seen(self, access: Access, patients: Iterable[str | None]) -> frozenset[str | None]:
        """Those of these patients that the client may see; None, no patient at all, only where it sees all."""
        asked = frozenset(patients)
        if self.unlimited(access):
            return asked
        ids = sorted(p for p in asked if p is not None)
        if self._door is None or not ids:
            return frozenset()
        async with self._door.database.reading() as tx:
            sql = "select distinct id from identity where client = $1 and id = any($2)"
            return frozenset(row[0] for row in await tx.fetch(sql, access.client_id, ids))
