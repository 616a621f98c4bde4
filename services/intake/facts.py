"""What intake knows of one patient, and one referral of it seen whole; readers only, no judgement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from services.intake.codes import LOINC, NPI, SITE_ID, task_code, typed
from shared.catalogue import Drug, recognised
from shared.core import Resource, derived_id, reference
from shared.settings import Site

SUBJECT = {
    "AllergyIntolerance": "patient",
    "Consent": "patient",
    "Coverage": "beneficiary",
    "Device": "patient",
    "Immunization": "patient",
    "RelatedPerson": "patient",
    "Task": "for",
}
"""Element naming the patient, where it is not `subject`."""

_WRITTEN = ("versionId", "lastUpdated")


def bare(resource: Resource) -> dict[str, Any]:
    """A resource without its meta: what its source said, not when or in which version."""
    return {k: v for k, v in resource.items() if k != "meta"}


def unversioned(resource: Resource) -> dict[str, Any]:
    """A stored resource as a decision may save it again: without what the run loop writes."""
    meta = {k: v for k, v in resource.get("meta", {}).items() if k not in _WRITTEN}
    return bare(resource) | ({"meta": meta} if meta else {})


def literal(element: Mapping[str, Any] | None) -> str | None:
    """`Type/id` of a Reference, without base address or version."""
    text = (element or {}).get("reference")
    if not isinstance(text, str) or "/" not in text:
        return None
    return "/".join(text.partition("/_history/")[0].split("/")[-2:])


def subject_of(resource: Resource) -> str | None:
    """The id of the Patient a resource is about, by its literal reference; a Patient is about himself."""
    if resource["resourceType"] == "Patient":
        return str(resource["id"])
    found = literal(resource.get(SUBJECT.get(resource["resourceType"], "subject")))
    return found.removeprefix("Patient/") if found and found.startswith("Patient/") else None


def day(text: Any) -> date | None:
    """The day of a FHIR date, dateTime or instant as written; None unless it names a day."""
    try:
        return date.fromisoformat(str(text)[:10])
    except ValueError:
        return None


def identifiers(resource: Resource | None, system: str) -> Iterator[str]:
    """Values of a resource's identifiers of one system."""
    for identifier in (resource or {}).get("identifier", ()):
        if identifier.get("system") == system and identifier.get("value"):
            yield str(identifier["value"])


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything intake holds about one patient, by `Type/id`, and what the event names of others' records."""

    patient: str
    resources: Mapping[str, Resource]

    def of(self, *types: str) -> tuple[Resource, ...]:
        """This patient's resources of these types, in the order of their ids."""
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
    """

    referral: Resource
    stored: Resource | None
    placed: bool
    arrived: frozenset[str]
    facts: Facts
    site: Site
    at: date

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
        therapy = self.drug.therapy if self.drug else ""
        return derived_id("in", "order", str(self.referral["id"]), therapy)

    @cached_property
    def activated(self) -> bool:
        """Whether our order was active once."""
        return self.order is not None and self.order["status"] != "draft"

    @cached_property
    def on(self) -> date:
        """The day by which requirements are judged: the day the order became active, else today."""
        then = day(self.order.get("authoredOn")) if self.order is not None and self.activated else None
        return then or self.at

    @cached_property
    def medications(self) -> tuple[Resource, ...]:
        """The MedicationRequests of this referral, the infused drug first."""
        found = [m for m in self.facts.of("MedicationRequest") if self._belongs(m)]
        return tuple(sorted(found, key=lambda m: (recognised(self.codings(m)) is None, m["id"])))

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
        events = [e for t in timings for e in t.get("event", ())]
        return (
            request.get("occurrencePeriod", {}).get("start")
            or request.get("occurrenceDateTime")
            or next(iter(sorted(events)), None)
        )

    @cached_property
    def diagnoses(self) -> tuple[Mapping[str, Any], ...]:
        """Codings of the reasons the request and its medication name."""
        asked = (self.request, self.medication)
        concepts = [c for a in asked for c in a.get("reasonCode", ())]
        conditions = (self.facts.at(r) for a in asked for r in a.get("reasonReference", ()))
        concepts += [c.get("code", {}) for c in conditions if c and c["resourceType"] == "Condition"]
        return tuple(coding for c in concepts for coding in c.get("coding", ()))

    @cached_property
    def requester(self) -> Mapping[str, Any]:
        """Reference to the prescriber; empty when none is named."""
        found = self.request.get("requester") or self.medication.get("requester") or {}
        return dict(found)

    @cached_property
    def prescriber_npis(self) -> tuple[str, ...]:
        """NPIs written for the prescriber: on the reference, the Practitioner or his role."""
        named = self.facts.at(self.requester)
        person = self.facts.at((named or {}).get("practitioner"))
        written = {"identifier": [self.requester.get("identifier", {})]}
        return tuple(n for r in (written, named, person) for n in identifiers(r, NPI))

    @cached_property
    def coverages(self) -> tuple[Resource, ...]:
        """Active Coverages: those the request names first, then the patient's others in their order."""
        named = [literal(i) for i in self.request.get("insurance", ())]
        active = [c for c in self.facts.of("Coverage") if c.get("status") == "active"]

        def rank(coverage: Resource) -> tuple[int, int, str]:
            own = reference(coverage)
            return (named.index(own) if own in named else len(named), int(coverage.get("order", 99)), own)

        return tuple(sorted(active, key=rank))

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
        valid = [
            o
            for o in self.facts.of("Observation")
            if o.get("status") in ("final", "amended", "corrected")
            and any(key.startswith("value") for key in o)
            and any(c.get("system") == LOINC and c.get("code") in wanted for c in o.get("code", {}).get("coding", ()))
        ]
        return tuple(sorted(valid, key=lambda o: (taken_on(o) or date.min, o["id"]), reverse=True))


def taken_on(observation: Resource) -> date | None:
    """The day a result belongs to."""
    period = observation.get("effectivePeriod", {})
    return day(observation.get("effectiveDateTime") or observation.get("effectiveInstant") or period.get("start"))


def member_id(coverage: Resource) -> str | None:
    """The member's number: subscriberId, else the identifier of type MB."""
    written = (i.get("value") for i in coverage.get("identifier", ()) if typed(i, "MB"))
    return coverage.get("subscriberId") or next((v for v in written if v), None)
