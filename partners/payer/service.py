"""One payer at work: takes a submission once, answers inquiries, reviews what it pended and tells of it until heard."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import httpx
from starlette.responses import Response

from partners.clock import Clock, instant
from partners.faults import Faults
from partners.payer.answers import response_bundle
from partners.payer.claims import Claims, identity
from partners.payer.eligibility import eligibility
from partners.payer.facts import facts_of
from partners.payer.notifications import notification
from partners.payer.verdicts import PENDED, Verdict, rules_of, verdicts
from partners.references import issues_of
from partners.store import Store
from partners.timers import Timers
from partners.wire import FHIR_JSON, Refused, answer, decoded, refuse, resource_model

OPERATIONS = frozenset({"submit", "inquire", "eligibility"})


class Payer:
    """`address` is where it tells of later decisions, `secret` what it says there; `base` is its own address."""

    def __init__(
        self,
        payer: str,
        store: Store,
        *,
        now: Clock,
        http: httpx.AsyncClient,
        base: str,
        address: str,
        secret: str,
        release_after: timedelta,
    ) -> None:
        self.rules = rules_of(payer)
        self._payer, self._store, self._now, self._http = payer, store, now, http
        self._base, self._address, self._secret, self._release_after = base, address, secret, release_after
        self.claims = Claims(store)
        self.faults = Faults(store, OPERATIONS, notifies=True)
        self.timers = Timers(store, now, self._work)

    async def eligibility(self, body: bytes) -> Response:
        return answer(eligibility(self.rules, decoded(body), self._now()))

    async def submit(self, body: bytes) -> Response:
        """The current answer to a Claim; a Claim.identifier seen before is counted, never judged again."""
        bundle, model = _opened(body)
        _within(bundle, model)
        claim = bundle["entry"][0]["resource"]
        with self._store.transaction():
            found = self.claims.again(identity(claim)) or self._judged(identity(claim), body, bundle, model)
        return Response(found, 200, media_type=FHIR_JSON)

    def _judged(self, identifier: str, body: bytes, bundle: dict[str, Any], model: Any) -> str | None:
        number = f"{self.rules['number_prefix']}{self._store.count('claim'):07d}"
        value = bundle["entry"][0]["resource"]["identifier"][0]["value"]
        self.claims.add(identifier, value, number, body.decode())
        found = verdicts(self.rules, facts_of(model))
        self._answered(identifier, number, bundle, found)
        if any(v.action == PENDED for v in found):
            self.timers.set("release", identifier, self._now() + self._release_after)
        return self.claims.current(identifier)

    def _answered(self, identifier: str, number: str, bundle: dict[str, Any], found: Sequence[Verdict]) -> None:
        at, version = self._now(), self.claims.versions(identifier) + 1
        told = response_bundle(bundle, found, number=number, version=version, payer=self._payer, at=at)
        self.claims.answered(identifier, found, told, at)

    async def inquire(self, body: bytes) -> Response:
        """The stored answer to the Claim of this identifier; an empty Bundle when it was never seen."""
        bundle, _ = _opened(body)
        found = self.claims.current(identity(bundle["entry"][0]["resource"]))
        empty = {"resourceType": "Bundle", "type": "collection", "timestamp": instant(self._now())}
        return answer(empty) if found is None else Response(found, 200, media_type=FHIR_JSON)

    async def release(self, value: str) -> int:
        """Reviews now every pended Claim whose identifier has this value; returns how many there were."""
        called = self.claims.called(value)
        return sum([await self._released(identifier) for identifier in called])

    async def _released(self, identifier: str) -> bool:
        """Decides what was pended and stores the news; False when nothing was pended."""
        with self._store.transaction():
            self.timers.clear("release", identifier)
            before = self.claims.verdicts(identifier)
            if not any(v.action == PENDED for v in before):
                return False
            number, bundle = self.claims.request(identifier)
            after = verdicts(self.rules, facts_of(resource_model(bundle, "Bundle")), reviewed=True)
            found = [a if b.action == PENDED else b for b, a in zip(before, after, strict=True)]
            self._answered(identifier, number, bundle, found)
            self._happened(identifier)
        return True

    def _happened(self, identifier: str) -> None:
        event = self._store.count("event")
        told = decoded(self.claims.current(identifier) or "")
        bundle = notification(told, event=event, at=self._now(), base=self._base)
        self.claims.happened(event, identifier, self.claims.versions(identifier), bundle)
        self.timers.set("notify", str(event), self._now())

    async def _work(self, kind: str, key: str) -> bool:
        match kind:
            case "release":
                await self._released(key)
                return True
            case _:
                return await self._notified(int(key))

    async def _notified(self, event: int) -> bool:
        """Sends one notification, twice where a test ordered it; True once it was taken."""
        taken = await self._sent(event)
        return await self._sent(event) if taken and self.faults.take("notify") else taken

    async def _sent(self, event: int) -> bool:
        headers = {"Authorization": f"Bearer {self._secret}", "Content-Type": FHIR_JSON}
        try:
            response = await self._http.post(self._address, content=self.claims.event(event).encode(), headers=headers)
        except httpx.HTTPError:
            self.claims.told(event, None)
            return False
        self.claims.told(event, instant(self._now()) if response.is_success else None)
        return response.is_success


def _opened(body: bytes) -> tuple[dict[str, Any], Any]:
    """A collection Bundle with a preauthorization Claim first, as sent and as R4B model. Raises Refused (400)."""
    bundle = decoded(body)
    model = resource_model(bundle, "Bundle")
    for text, where, wrong in _DEMANDS:
        if wrong(model):
            refuse(400, "invalid", text, where)
    return bundle, model


def _first(model: Any) -> Any:
    return model.entry[0].resource if model.entry else None


def _no_claim(model: Any) -> bool:
    return _first(model) is None or _first(model).get_resource_type() != "Claim"


def _no_identifier(model: Any) -> bool:
    first = next(iter(_first(model).identifier or ()), None)
    return first is None or not (first.system and first.value)


# In this order: a later demand may rest on an earlier one.
_DEMANDS = (
    ("the Bundle must be a collection", "Bundle.type", lambda m: m.type != "collection"),
    ("the first entry must be the Claim", "Bundle.entry[0].resource", _no_claim),
    ("the Claim must have an identifier with system and value", "Claim.identifier", _no_identifier),
    ("use must be preauthorization", "Claim.use", lambda m: _first(m).use != "preauthorization"),
    ("status must be active", "Claim.status", lambda m: _first(m).status != "active"),
)


def _within(bundle: dict[str, Any], model: Any) -> None:
    """A submission is whole in itself: every reference resolves, every item can be answered."""
    if issues := issues_of(bundle, model):
        raise Refused(400, issues)
    claim = bundle["entry"][0]["resource"]
    if not claim.get("item") or "id" not in claim or "insurer" not in claim:
        refuse(400, "required", "the Claim must have an id, an insurer and at least one item", "Claim")
