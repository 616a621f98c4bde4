"""What intake knows of one patient, and one referral of it seen whole; readers only, no judgement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Any

from services.intake.codes import (
    CONSENT_SCOPE,
    LOINC,
    NPI,
    SITE_ID,
    code_of,
    task_code,
)
from services.intake.records import day, denies, force, holds, identifiers, literal, subject_of, taken_on
from services.intake.stays import began_after, is_stay
from shared.catalogue import Drug, recognised
from shared.core import Resource, derived_id, reference
from shared.memo import of_each
from shared.settings import Site


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything intake holds about one patient, by `Type/id`, and what the event names of others' records.

    others     the same person's other records: each another Patient's facts, linked by a merge or a confirmation.
    missing    lanes of these others that are not held yet.
    concerned  lanes of these others, and of those that were until now.
    """

    patient: str
    resources: Mapping[str, Resource]
    others: tuple[Facts, ...] = ()
    missing: frozenset[str] = frozenset()
    concerned: frozenset[str] = frozenset()
    _sorted: dict[tuple[str, ...], tuple[Resource, ...]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def of(self, *types: str) -> tuple[Resource, ...]:
        """This patient's resources of these types, in the order of their ids."""
        if types not in self._sorted:
            self._sorted[types] = self._of(types)
        return self._sorted[types]

    def _of(self, types: tuple[str, ...]) -> tuple[Resource, ...]:
        found = (r for r in self.resources.values() if r["resourceType"] in types and subject_of(r) == self.patient)
        return tuple(sorted(found, key=reference))

    def at(self, element: Mapping[str, Any] | None) -> Resource | None:
        """The resource a Reference means, if intake holds it."""
        return self.resources.get(literal(element) or "")

    def tasks(self, *codes: str) -> tuple[Resource, ...]:
        """This patient's Tasks with one of our codes."""
        return tuple(t for t in self.of("Task") if task_code(t) in codes)


@dataclass(frozen=True)
class Case:
    """One referral: what the placer sent, what we answered so far, and the day by which it is judged.

    referral  the placer's Task when he just sent it, else our own as stored.
    placed    whether `referral` is the placer's, just sent.
    arrived   references of what came with it.
    elsewhere references of what just came with another referral.
    moment    the instant of the event.
    called    whether what just came calls the order off, however late it came.
    root      id of the referral whose order goes on as this one's: this referral replaces it.
    replaced  whether another order of the placer has replaced this one.
    handed    whether that order goes on as ours: then it is no longer this referral's to write.
    declined  whether a person chose another referral for the same therapy.
    rivals    referral Tasks for the same therapy that were there before; a person says which go on.
    """

    referral: Resource
    stored: Resource | None
    placed: bool
    arrived: frozenset[str]
    facts: Facts
    site: Site
    at: date
    moment: datetime
    elsewhere: frozenset[str] = frozenset()
    called: bool = False
    root: str | None = None
    replaced: bool = False
    handed: bool = False
    declined: bool = False
    rivals: tuple[Resource, ...] = ()

    @cached_property
    def request(self) -> Resource:
        """The placer's ServiceRequest; empty when there is none."""
        found = self.facts.at(self.referral.get("focus"))
        return found if found is not None and found["resourceType"] == "ServiceRequest" else {}

    @cached_property
    def orders(self) -> tuple[Resource, ...]:
        """Our filler orders for this request, of any therapy."""
        own = f"ServiceRequest/{self.request.get('id')}"
        return tuple(o for o in self.facts.of("ServiceRequest") if own in map(literal, o.get("basedOn", ())))

    @cached_property
    def order(self) -> Resource | None:
        """Our filler order for the therapy now asked for, as stored."""
        return self.facts.resources.get(f"ServiceRequest/{self.order_id}")

    @property
    def order_id(self) -> str:
        return self.order_of(self.root or str(self.referral["id"]))

    def order_of(self, referral: str) -> str:
        """The id of an order for the therapy asked for, of this or another referral."""
        return derived_id("in", "order", referral, self.drug.therapy if self.drug else "")

    @cached_property
    def activated(self) -> bool:
        """Whether our order was active once."""
        return self.order is not None and self.order["status"] != "draft"

    @cached_property
    def renewed(self) -> bool:
        """Whether the placer has written the order anew since it became active: it is judged by today again."""
        if self.order is None:
            return False
        before, written = day(self.order.get("authoredOn")), day(self.medication.get("authoredOn"))
        newer = before is not None and written is not None and before < written <= self.at
        return newer or literal(self.order["basedOn"][0]) != reference(self.request)

    @cached_property
    def on(self) -> date:
        """The day by which requirements are judged: the day the order became active or was renewed, else today."""
        judged = self.order is not None and self.activated and not self.renewed
        then = day(self.order.get("authoredOn")) if self.order is not None and judged else None
        return then or self.at

    @cached_property
    def medications(self) -> tuple[Resource, ...]:
        """The MedicationRequests of this referral, the infused drug first; of that, those in force if there are any."""
        found = [m for m in self.facts.of("MedicationRequest") if self._belongs(m)]
        others = [m for m in found if recognised(self.codings(m)) is None]
        infused = sorted((m for m in found if m not in others), key=force)
        return (*(m for m in infused if force(m) == force(infused[0])), *others)

    @property
    def infused(self) -> tuple[Resource, ...]:
        """The MedicationRequests of a drug this practice infuses."""
        return tuple(m for m in self.medications if recognised(self.codings(m)) is not None)

    @property
    def on_hold(self) -> bool:
        """Whether the placer has put the order or its prescription on hold, or the patient is in hospital."""
        return "on-hold" in (self.request.get("status"), self.medication.get("status")) or self.admitted

    @property
    def held_because(self) -> str:
        """Why the order is on hold, in words for the placer."""
        theirs = "on-hold" in (self.request.get("status"), self.medication.get("status"))
        return "The placer's order is on hold" if theirs else "The patient is in hospital"

    @cached_property
    def admitted(self) -> bool:
        """Whether the patient was admitted since the order was written: one written in hospital waits for nothing."""
        written = str(self.request.get("authoredOn") or self.referral.get("authoredOn") or "")
        stays = (e for f in (self.facts, *self.facts.others) for e in f.of("Encounter"))
        return any(is_stay(e, self.moment) and began_after(e, written) for e in stays)

    @cached_property
    def deceased(self) -> bool:
        """Whether any record of this person says that he has died."""
        people = (self.patient, *(f.resources.get(f"Patient/{f.patient}", {}) for f in self.facts.others))
        return any(p.get("deceasedBoolean") or "deceasedDateTime" in p for p in people)

    @property
    def patient(self) -> Resource:
        """The Patient; empty where none is on file."""
        return self.facts.resources.get(f"Patient/{self.facts.patient}", {})

    def _belongs(self, medication: Resource) -> bool:
        own = f"ServiceRequest/{self.request.get('id')}"
        based = [literal(b) for b in medication.get("basedOn", ())]
        if based:
            return own in based
        named = {literal(s) for o in (self.request, *self.orders) for s in o.get("supportingInfo", ())}
        return reference(medication) in named | self.arrived

    def codings(self, medication: Resource) -> list[Mapping[str, Any]]:
        """The codings of a medication, written in place, contained or referenced."""
        element = medication.get("medicationReference")
        contained = {f"#{c.get('id')}": c for c in medication.get("contained", ())}
        other = contained.get((element or {}).get("reference", "")) or self.facts.at(element) or {}
        return [
            *medication.get("medicationCodeableConcept", {}).get("coding", ()),
            *other.get("code", {}).get("coding", ()),
        ]

    @cached_property
    def drug(self) -> Drug | None:
        """The one drug of the catalogue that the medications and the request name together."""
        codings = [c for m in self.medications for c in self.codings(m)]
        return recognised([*codings, *self.request.get("code", {}).get("coding", ())])

    @property
    def medication(self) -> Resource:
        """The MedicationRequest of the infused drug; empty when there is none."""
        return self.medications[0] if self.medications else {}

    @property
    def start(self) -> str | None:
        """The start date as written: on the request, else the first event of the dosage."""
        request = self.request
        timings = [request.get("occurrenceTiming", {})]
        timings += [d.get("timing", {}) for d in self.medication.get("dosageInstruction", ())]
        events = [e for t in timings for e in t.get("event", ()) if e]
        return (
            request.get("occurrencePeriod", {}).get("start")
            or request.get("occurrenceDateTime")
            or next(iter(sorted(events)), None)
        )

    @cached_property
    def conditions(self) -> tuple[Resource, ...]:
        """The Conditions the request and its medication name as reasons, each once, as far as they hold."""
        named = (r for asked in (self.request, self.medication) for r in asked.get("reasonReference", ()))
        found = {reference(c): c for r in named if (c := self.facts.at(r)) is not None}
        return tuple(c for c in found.values() if c["resourceType"] == "Condition" and holds(c))

    @cached_property
    def diagnoses(self) -> tuple[Mapping[str, Any], ...]:
        """Codings of the reasons the request and its medication name."""
        concepts = [c for asked in (self.request, self.medication) for c in asked.get("reasonCode", ())]
        concepts += [c.get("code", {}) for c in self.conditions]
        return tuple(coding for c in concepts for coding in c.get("coding", ()))

    @cached_property
    def requester(self) -> Mapping[str, Any]:
        """Reference to the prescriber; empty when none is named."""
        found = self.request.get("requester") or self.medication.get("requester") or {}
        return dict(found)

    @property
    def prescribers(self) -> tuple[Resource, ...]:
        """The Practitioner who ordered, cited directly or by a role; none where only an identifier is given."""
        named = self.facts.at(self.requester) or {}
        found = (named, self.facts.at(named.get("practitioner")) or {})
        return tuple(r for r in found if r.get("resourceType") == "Practitioner")

    @cached_property
    def prescriber_npis(self) -> tuple[str, ...]:
        """NPIs written for the prescriber: on the reference, the Practitioner or his role; an Organization is none."""
        named = self.facts.at(self.requester)
        kind = named["resourceType"] if named else (literal(self.requester) or self.requester.get("type") or "/")
        if kind.partition("/")[0] not in ("", "Practitioner", "PractitionerRole"):
            return ()
        person = self.facts.at((named or {}).get("practitioner"))
        written = {"identifier": [self.requester.get("identifier", {})]}
        return tuple(n for r in (written, named, person) for n in identifiers(r, NPI))

    @cached_property
    def coverages(self) -> tuple[Resource, ...]:
        """Active Coverages: those in force first, of these the ones the request names, then the patient's others."""
        named = [literal(i) for i in self.request.get("insurance", ())]
        active = [c for c in self.facts.of("Coverage") if c.get("status") == "active"]

        def rank(coverage: Resource) -> tuple[bool, int, int, str]:
            own, place = reference(coverage), int(coverage.get("order", 99))
            return (not self.covers(coverage), named.index(own) if own in named else len(named), place, own)

        return tuple(sorted(active, key=rank))

    def covers(self, coverage: Resource) -> bool:
        """Whether a Coverage is in force on the date of service: the start date, unless the case is judged later."""
        on = max(day(self.start) or self.on, self.on).isoformat()
        first, last = (str(coverage.get("period", {}).get(end, "")) for end in ("start", "end"))
        return first[:10] <= on and (not last or on[: len(last)] <= last[:10])

    def consents(self) -> tuple[Resource, ...]:
        """The active Consents to treatment, the latest first."""
        scoped = (c for c in self.facts.of("Consent") if code_of(c.get("scope"), CONSENT_SCOPE) == "treatment")
        active = (c for c in scoped if c.get("status") == "active")
        return tuple(sorted(active, key=lambda c: (c.get("dateTime", ""), denies(c), c["id"]), reverse=True))

    def payer_identifiers(self, coverage: Resource) -> set[tuple[str, str]]:
        """(system, value) pairs by which a Coverage names its payers."""
        payors = coverage.get("payor", ())
        written = [p.get("identifier", {}) for p in payors]
        written += [i for p in payors for i in (self.facts.at(p) or {}).get("identifier", ())]
        return {(i.get("system", ""), str(i.get("value", ""))) for i in written}

    @cached_property
    def performer_sites(self) -> tuple[str, ...]:
        """Ids of our infusion sites as the request's performers write them."""
        performers = self.request.get("performer", ())
        written: list[Resource] = [{"identifier": [p.get("identifier", {})]} for p in performers]
        written += [found for p in performers if (found := self.facts.at(p))]
        return tuple(v for w in written for v in identifiers(w, SITE_ID))

    def results(self, codes: Iterable[str]) -> tuple[Resource, ...]:
        """Valid Observations of these LOINC codes that carry a value, latest first, undated last."""
        wanted = set(codes)
        valid = [o for o in self.facts.of("Observation") if not wanted.isdisjoint(_measures(o))]
        return tuple(sorted(valid, key=lambda o: (taken_on(o) or date.min, o["id"]), reverse=True))


@of_each
def _measures(observation: Resource) -> tuple[str, ...]:
    """The LOINC codes of which an Observation is a valid result; none where it is none."""
    says = any(key.startswith("value") for key in observation) and "dataAbsentReason" not in observation
    if not says or observation.get("status") not in ("final", "amended", "corrected"):
        return ()
    coded = observation.get("code", {}).get("coding", ())
    return tuple(c["code"] for c in coded if c.get("system") == LOINC and "code" in c)
