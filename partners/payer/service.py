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
from partners.payer.information import Attached, attached, wanted, with_attachments
from partners.payer.notifications import handshake, notification
from partners.payer.questions import package
from partners.payer.requirements import Requirements
from partners.payer.subscribers import Subscribers
from partners.payer.verdicts import (
    CANCELLED,
    NOT_CERTIFIED,
    PENDED,
    Verdict,
    held_verdict,
    in_force,
    rules_of,
    verdicts,
)
from partners.references import issues_of
from partners.store import Store
from partners.timers import Timers
from partners.wire import FHIR_JSON, Issue, Refused, answer, decoded, dumps, outcome, refuse, resource_model

CERTIFICATION = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-certificationType"
AUTHORIZATION = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-authorizationNumber"
OPERATIONS = frozenset({"submit", "inquire", "eligibility", "attachment", "requirements", "subscribe", "questions"})


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
        requirements: Requirements,
    ) -> None:
        self.rules = rules_of(payer)
        self._payer, self._store, self._now, self._http = payer, store, now, http
        self._base, self._address, self._secret, self._release_after = base, address, secret, release_after
        self.claims, self.requirements = Claims(store), requirements
        self.subscribers = Subscribers(store, self.rules.get("subscription_filter", "org-identifier"))
        self.faults = Faults(store, OPERATIONS, notifies=True)
        self.timers = Timers(store, now, self._work)

    async def eligibility(self, body: bytes) -> Response:
        return answer(eligibility(self.rules, decoded(body), self._now()))

    async def questions(self, body: bytes) -> Response:
        """The question set of a drug, where this one decides a pharmacy benefit."""
        return answer(package(self.rules, decoded(body), self._now()))

    async def submit(self, body: bytes) -> Response:
        """The current answer to a Claim; a Claim.identifier seen before is counted, never judged again."""
        self._authorizes()
        bundle, model = _opened(body)
        _within(bundle, model)
        claim = bundle["entry"][0]["resource"]
        with self._store.transaction():
            found = self.claims.again(identity(claim)) or self._taken(identity(claim), body, bundle, model)
        return Response(found, 200, media_type=FHIR_JSON)

    def _authorizes(self) -> None:
        """Raises Refused (404) where this payer takes no requests for authorization."""
        if not self.rules.get("authorizes", True):
            refuse(404, "not-supported", "this payer authorizes nothing in advance", "Claim")

    def _taken(self, identifier: str, body: bytes, bundle: dict[str, Any], model: Any) -> str | None:
        claim = bundle["entry"][0]["resource"]
        if "related" not in claim:
            return self._judged(identifier, body, bundle, model)
        if not any(e["url"] == CERTIFICATION for e in claim.get("extension", ())):
            return self._revised(identifier, body, bundle, model)
        return self.claims.cancelled_again(identifier) or self._cancelled(identifier, bundle)

    def _revised(self, identifier: str, body: bytes, bundle: dict[str, Any], model: Any) -> str | None:
        """Decides a changed request anew in place of the earlier one. Raises Refused (400, 422)."""
        earlier = _named(bundle)
        prior = identity(earlier)
        if self.claims.current(prior) is None:
            refuse(422, "not-found", "this payer holds no such Claim", "Claim.related[0].claim")
        if any(v.action in (NOT_CERTIFIED, CANCELLED) for v in self.claims.verdicts(prior)):
            refuse(422, "invalid", "what was denied or cancelled cannot be changed", "Claim.related[0].claim")
        if {i["sequence"] for i in earlier["item"]} - {i["sequence"] for i in _claim(bundle)["item"]}:
            refuse(422, "invalid", "every item keeps its sequence", "Claim.item")
        self.timers.clear("release", prior)
        self.claims.revises(identifier, prior)
        return self._judged(identifier, body, bundle, model)

    def _cancelled(self, identifier: str, bundle: dict[str, Any]) -> str:
        """Gives up a whole Claim, whatever was decided of it. Raises Refused (400, 422)."""
        prior = identity(_prior(bundle))
        if self.claims.current(prior) is None:
            refuse(422, "not-found", "this payer holds no such Claim", "Claim.related[0].claim")
        self.timers.clear("release", prior)
        number, asked = self.claims.request(prior)
        found = [Verdict(v.sequence, CANCELLED, v.hcpcs) for v in self.claims.verdicts(prior)]
        self._answered(prior, number, asked, found)
        version = self.claims.versions(prior)
        told = response_bundle(bundle, found, number=number, version=version, payer=self._payer, at=self._now())
        return self.claims.cancelled(identifier, prior, told)

    def _judged(self, identifier: str, body: bytes, bundle: dict[str, Any], model: Any) -> str | None:
        number = f"{self.rules['number_prefix']}{self._store.count('claim'):07d}"
        value = bundle["entry"][0]["resource"]["identifier"][0]["value"]
        self.claims.add(identifier, value, number, body.decode())
        facts = facts_of(model)
        found = verdicts(self.rules, facts)
        if more := wanted(self.rules, facts, number, self._now().date()):
            found = tuple(Verdict(v.sequence, PENDED, v.hcpcs) for v in found)
            self.claims.asked_for(identifier, more)
        self._answered(identifier, number, bundle, found)
        if not more and any(v.action == PENDED for v in found):
            self.timers.set("release", identifier, self._now() + self._release_after)
        return self.claims.current(identifier)

    def _answered(self, identifier: str, number: str, bundle: dict[str, Any], found: Sequence[Verdict]) -> None:
        at, version = self._now(), self.claims.versions(identifier) + 1
        more = self.claims.lacking(identifier) if any(v.action == PENDED for v in found) else ()
        told = response_bundle(bundle, found, number=number, version=version, payer=self._payer, at=at, wanted=more)
        self.claims.answered(identifier, found, told, at)

    async def attachment(self, body: bytes) -> Response:
        """Takes what was asked for; with all of it the request is reviewed. The same again is only counted."""
        parameters = decoded(body)
        resource_model(parameters, "Parameters")
        brought = attached(parameters)
        with self._store.transaction():
            known = self.claims.brought(brought)
            if known is None:
                refuse(422, "not-found", "nothing was asked for under this number", "Parameters.parameter[0]")
            identifier, request, is_new = known
            if request.loinc not in brought.codes:
                refuse(422, "invalid", "something else was asked for", "Parameters.parameter.part")
            if is_new:
                self._attached(identifier, brought)
        return answer(outcome([Issue("informational", "taken")], "information"))

    def _attached(self, identifier: str, brought: Attached) -> None:
        self.claims.keep(brought)
        number, bundle = self.claims.request(identifier)
        before = self.claims.verdicts(identifier)
        if any(v.action == PENDED for v in before):
            self._answered(identifier, number, bundle, before)
            if not self.claims.lacking(identifier):
                self.timers.set("release", identifier, self._now() + self._release_after)

    async def inquire(self, body: bytes) -> Response:
        """The stored answer to the Claim of this identifier; an empty Bundle when it was never seen."""
        self._authorizes()
        bundle, _ = _opened(body)
        found = self.claims.current(identity(bundle["entry"][0]["resource"])) or self._known(body, bundle)
        empty = {"resourceType": "Bundle", "type": "collection", "timestamp": instant(self._now())}
        return answer(empty) if found is None else Response(found, 200, media_type=FHIR_JSON)

    def _known(self, body: bytes, bundle: dict[str, Any]) -> str | None:
        """The answer about an authorization given to somebody else, where the inquiry names its number."""
        claim = bundle["entry"][0]["resource"]
        number = next((e.get("valueString") for e in claim.get("extension", ()) if e["url"] == AUTHORIZATION), "")
        facts = facts_of(resource_model(bundle, "Bundle"))
        given = self.rules.get("held", {}).get(number)
        if given is None or not in_force(self.rules, facts.member):
            return None
        with self._store.transaction():
            row = f"{self.rules['number_prefix']}{self._store.count('claim'):07d}"
            self.claims.add(identity(claim), claim["identifier"][0]["value"], row, body.decode())
            found = tuple(held_verdict(item, given) for item in facts.items)
            self._answered(identity(claim), number, bundle, found)
        return self.claims.current(identity(claim))

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
            whole = with_attachments(bundle, self.claims.attachments(identifier))
            after = verdicts(self.rules, facts_of(resource_model(whole, "Bundle")), reviewed=True)
            found = [a if b.action == PENDED else b for b, a in zip(before, after, strict=True)]
            self._answered(identifier, number, bundle, found)
            self._happened(identifier)
        return True

    def _happened(self, identifier: str) -> None:
        event, told = self._store.count("event"), decoded(self.claims.current(identifier) or "")
        name = self.subscribers.active()
        number = self.subscribers.next_event(name) if name else event
        bundle = notification(told, event=number, at=self._now(), base=self._base, subscription=name or "pas")
        self.claims.happened(event, identifier, self.claims.versions(identifier), bundle)
        self.timers.set("notify", str(event), self._now())

    async def _work(self, kind: str, key: str) -> bool:
        match kind:
            case "release":
                await self._released(key)
                return True
            case "handshake":
                return await self._shaken(key)
            case _:
                return await self._notified(int(key))

    async def _notified(self, event: int) -> bool:
        """Sends one notification, twice where a test ordered it; True once it was taken."""
        if self.faults.take("lose"):
            self.claims.told(event, instant(self._now()))
            return True
        taken = await self._sent(event)
        return await self._sent(event) if taken and self.faults.take("notify") else taken

    async def _sent(self, event: int) -> bool:
        try:
            response = await self._told(self.subscribers.active(), self.claims.event(event))
        except httpx.HTTPError:
            self.claims.told(event, None)
            return False
        self.claims.told(event, instant(self._now()) if response.is_success else None)
        return response.is_success

    async def _told(self, subscriber: str | None, bundle: str) -> httpx.Response:
        """Posts a notification to a subscriber, or as it was arranged where there is none."""
        address, said = self._address, {"Authorization": f"Bearer {self._secret}"}
        if subscriber is not None:
            address, said = self.subscribers.called(subscriber)[0], dict(self.subscribers.called(subscriber)[1])
        return await self._http.post(address, content=bundle.encode(), headers={**said, "Content-Type": FHIR_JSON})

    # Who is told

    async def subscribed(self, body: bytes, known: str | None = None) -> Response:
        """Keeps a Subscription and shakes hands with whoever it is for."""
        with self._store.transaction():
            kept = self.subscribers.taken(decoded(body), known)
            self.timers.set("handshake", kept["id"], self._now())
        address = f"{self._base}/Subscription/{kept['id']}"
        return answer(kept, 200 if known else 201, {"Location": address})

    async def _shaken(self, name: str) -> bool:
        events = self.subscribers.events(name)
        bundle = handshake(events=events, at=self._now(), base=self._base, subscription=name)
        try:
            response = await self._told(name, dumps(bundle))
        except httpx.HTTPError:
            return False
        self.subscribers.shook(name, response.is_success)
        return True


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


def _prior(bundle: dict[str, Any]) -> dict[str, Any]:
    """The Claim inside that a request takes back, whole. Raises Refused (400) for any other change."""
    claim = bundle["entry"][0]["resource"]
    types = [e["valueCodeableConcept"] for e in claim.get("extension", ()) if e["url"] == CERTIFICATION]
    if [c["code"] for t in types for c in t["coding"]] != ["3"]:
        refuse(
            400, "not-supported", "certification type 3 takes a request back; a change has none on the Claim", "Claim"
        )
    return _named(bundle)


def _claim(bundle: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = bundle["entry"][0]["resource"]
    return found


def _named(bundle: dict[str, Any]) -> dict[str, Any]:
    """The earlier Claim inside that a request names. Raises Refused (400)."""
    literal = _claim(bundle)["related"][0].get("claim", {}).get("reference")
    named = (e["resource"] for e in bundle["entry"] if f"Claim/{e['resource'].get('id')}" == literal)
    found: dict[str, Any] = next((r for r in named if r["resourceType"] == "Claim" and r.get("identifier")), {})
    if not found:
        refuse(400, "required", "the Claim that is changed or taken back must be inside", "Claim.related[0].claim")
    return found


def _within(bundle: dict[str, Any], model: Any) -> None:
    """A submission is whole in itself: every reference resolves, every item can be answered."""
    if issues := issues_of(bundle, model):
        raise Refused(400, issues)
    claim = bundle["entry"][0]["resource"]
    if not claim.get("item") or "id" not in claim or "insurer" not in claim:
        refuse(400, "required", "the Claim must have an id, an insurer and at least one item", "Claim")
