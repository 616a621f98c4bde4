"""Says of each requirement of a home visit whether it is met, by which resource, or why not and who has it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from services.nursing import planner
from services.nursing.facts import AgencyPlace, Case, Visit
from services.nursing.planner import Place, Wish
from services.nursing.policy import Practice
from services.nursing.start import admission, says
from shared.core import Resource
from shared.home import HomeNursing
from shared.visits import requirements
from shared.visits.elements import any_refers, identified, last_day, moment
from shared.visits.requirements import (
    NOT_NEEDED,
    Finding,
    Requirement,
    Rules,
    authorized,
    benefit_verified,
    consented,
    found,
    met,
    order_current,
    order_verified,
    unmet,
)
from shared.visits.workdays import morning

DRUG = frozenset({"infusion", "teach"})
"""Kinds of visit in which the drug is used."""

SUPPLIES = DRUG | {"dressing", "lab-draw"}
"""Kinds of visit in which supplies are used."""


@dataclass(frozen=True, slots=True)
class Look(requirements.Look):
    """One home visit looked at for one local day."""

    case: Case
    visit: Visit
    practice: Practice

    def number(self, figure: str) -> int:
        return self.practice.number(figure, self.today)


def patient_at_home(look: Look) -> Finding:
    """The patient lives, and is in no hospital that took him in after the order was written."""
    case = look.case
    patient = case.patient or {}
    if patient.get("deceasedBoolean") or "deceasedDateTime" in patient:
        return unmet("patient-deceased", look.practice.name, case.patient)
    stay = admission(case.order, case.facts, case.site)
    return unmet("patient-admitted", "hospital", stay) if stay is not None else NOT_NEEDED


def labs_current(look: Look) -> Finding:
    """Results the therapy needs before it begins at home are recent enough on the day of its first visit."""
    first = look.visit.dose.number == 1 and {"assessment", "infusion"} & set(look.visit.kinds)
    return requirements.labs_current(look) if first else NOT_NEEDED


def access_suitable(look: Look) -> Finding:
    """The line the drug goes through is on file, where the therapy needs one that stays."""
    therapy = look.case.drug.therapy if look.case.drug else ""
    if therapy not in look.practice.words("access_device_therapies", look.today):
        return NOT_NEEDED
    uses = (u for u in look.case.facts.of("DeviceUseStatement") if u.get("status") in ("active", "intended", "on-hold"))
    devices = (d for d in look.case.facts.of("Device") if d.get("status", "active") == "active")
    line = next(iter((*uses, *devices)), None)
    return met(line) if line is not None else unmet("access-device-missing", "referrer")


def caregiver_present(look: Look) -> Finding:
    """Somebody in the home is named who helps, where the therapy or the patient's age asks for it."""
    therapy = look.case.drug.therapy if look.case.drug else ""
    born = last_day((look.case.patient or {}).get("birthDate"), look.case.site.time_zone)
    minor = born is not None and _age(born, look.on) < look.number("caregiver_under_years")
    if not minor and therapy not in look.practice.words("caregiver_therapies", look.today):
        return NOT_NEEDED
    helping = next((p for p in look.case.facts.of("RelatedPerson") if p.get("active", True)), None)
    return met(helping) if helping is not None else unmet("caregiver-missing", "referrer")


def _age(born: date, on: date) -> int:
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def first_dose_safe(look: Look) -> Finding:
    """A first dose is given at home only with orders for a reaction, and never of a drug excluded from it.

    Policy manual of a home care agency, administration of first dose medications.
    """
    case, errand = look.case, look.visit.errand
    if errand is None or not case.first_dose or errand.treatment != 1:
        return NOT_NEEDED
    excluded = look.practice.words("first_dose_excluded_words", look.today)
    if says(case.order.get("code", {}), excluded) or (case.request and says(case.request, excluded)):
        return unmet("first-dose-excluded", "referrer", case.request)
    words = look.practice.words("anaphylaxis_words", look.today)
    requests = (r for r in case.facts.of("MedicationRequest") if r.get("status") == "active" and r != case.request)
    order = next((r for r in requests if says(r, words)), None)
    return met(order) if order is not None else unmet("anaphylaxis-order-missing", "referrer")


def home_assessed(look: Look) -> Finding:
    """A registered nurse sees the home before, or in, this visit."""
    case, visit = look.case, look.visit
    if "assessment" in visit.kinds:
        return NOT_NEEDED
    for other in (*case.visits, *case.unordered):
        if "assessment" in other.kinds and _is_before(other, visit):
            return met(other.stored or {"resourceType": "Appointment", "id": other.id})
    return unmet("home-not-assessed", look.practice.name)


def _is_before(other: Visit, visit: Visit) -> bool:
    if other.status == "fulfilled":
        return True
    return other.place is not None and (visit.place is None or other.place.end <= visit.place.start)


def nurse_competent(look: Look) -> Finding:
    """Who goes is licensed where the patient lives, competent and within range; or comes from an agency."""
    region, wish = look.case.site, wish_of(look)
    roads = look.practice.roads(look.today)
    match look.visit.place:
        case AgencyPlace():
            task = _agreed(look)
            return met(task) if task is not None else unmet("agency-called-off", look.practice.name)
        case Place() as place:
            return met(None) if planner.fits(region, place, wish, roads) else unmet("nurse-lost", look.practice.name)
    if planner.fitting(region, wish, roads):
        return met(None)
    return unmet(planner.reason(region, wish, roads), look.practice.name)


def _agreed(look: Look) -> Resource | None:
    target = f"Appointment/{look.visit.id}"
    tasks = (t for t in look.case.facts.of("Task") if t.get("focus", {}).get("reference") == target)
    return next((t for t in tasks if t["status"] in ("accepted", "completed")), None)


def wish_of(look: Look) -> Wish:
    """What is looked for, wherever and whenever."""
    case, errand = look.case, look.visit.errand
    first = case.first_dose and errand is not None and errand.treatment == 1
    therapy = case.drug.therapy if case.drug else ""
    needs = look.practice.competencies(look.visit.kinds, therapy, look.today, first_dose=first)
    minutes = errand.minutes if errand is not None else 0
    return Wish(minutes, case.home, needs, look.at, look.on)


# What is delivered


def drug_delivered(look: Look) -> Finding:
    """The drug this visit uses has arrived at the home."""
    if not DRUG & set(look.visit.kinds):
        return NOT_NEEDED
    visits = _delivered_for(look)
    dispenses = (
        d for d in look.case.facts.of("MedicationDispense") if _is_for(d.get("supportingInformation", ()), visits)
    )
    return _arrived(look, dispenses, "drug-not-delivered", frozenset({"stopped", "declined", "cancelled"}))


def supplies_delivered(look: Look) -> Finding:
    """The supplies this visit uses have arrived at the home."""
    if not SUPPLIES & set(look.visit.kinds):
        return NOT_NEEDED
    return _arrived(look, deliveries(look), "supplies-not-delivered", frozenset({"abandoned"}))


def deliveries(look: Look) -> Iterator[Resource]:
    """What the pharmacy says of its deliveries of supplies for a visit, latest first."""
    visits = _delivered_for(look)
    for delivery in look.case.facts.of("SupplyDelivery"):
        if visits & {identified(b, "pharmacy-order") for b in delivery.get("basedOn", ())}:
            yield delivery


def promised(look: Look) -> datetime | None:
    """By when the pharmacy has promised to be there, where what it brings for this visit is still on its way."""
    under_way = (d for d in deliveries(look) if d.get("status") == "in-progress")
    return next((at for d in under_way if (at := _by(d.get("occurrenceDateTime"), look.case.site))), None)


def _by(text: str | None, site: HomeNursing) -> datetime | None:
    """The latest instant a FHIR date or dateTime may stand for: a day is over at its end."""
    at, on = moment(text, site.time_zone), last_day(text, site.time_zone)
    return at if at is None or on is None or "T" in (text or "") else morning(site, on + timedelta(days=1), 0)


def _arrived(look: Look, found_: Iterator[Resource], missing: str, failed: frozenset[str]) -> Finding:
    said = list(found_)
    if (there := next((d for d in said if d.get("status") == "completed"), None)) is not None:
        return met(there)
    latest = said[0] if said else None
    if latest is not None and latest.get("status") in failed:
        return unmet("delivery-failed", "pharmacy", latest)
    return unmet(missing, "pharmacy", latest)


def _delivered_for(look: Look) -> frozenset[str | None]:
    """Ids of the Appointments whose delivery serves this visit: its own, else those of the order's earlier visits."""
    errand = look.visit.errand
    if errand is not None and errand.delivers:
        return frozenset(look.visit.ids)
    earlier = (v for v in look.case.visits if v.errand and v.errand.delivers and v.dose.on <= look.visit.dose.on)
    return frozenset(id_ for v in earlier for id_ in v.ids)


def _is_for(references: list[dict[str, str]], visits: frozenset[str | None]) -> bool:
    return any(any_refers(references, f"Appointment/{id_}") for id_ in visits)


RULES: Rules = (
    ("patient-at-home", "book", patient_at_home),
    ("benefit-verified", "book", benefit_verified),
    ("authorized", "book", authorized),
    ("order-current", "book", order_current),
    ("order-verified", "book", order_verified),
    ("consented", "book", consented),
    ("labs-current", "book", labs_current),
    ("access-suitable", "book", access_suitable),
    ("caregiver-present", "book", caregiver_present),
    ("first-dose-safe", "book", first_dose_safe),
    ("nurse-competent", "book", nurse_competent),
    ("home-assessed", "start", home_assessed),
    ("drug-delivered", "start", drug_delivered),
    ("supplies-delivered", "start", supplies_delivered),
)

DELIVERED = frozenset({"drug-delivered", "supplies-delivered"})
"""Requirements the pharmacy meets."""


def readiness(look: Look) -> tuple[Requirement, ...]:
    """Every requirement of a visit, in the order of `RULES`."""
    return found(look, RULES)


def obstacles(look: Look, needs: tuple[Requirement, ...]) -> tuple[Requirement, ...]:
    """What stands against holding a time on this day; where no nurse of ours may go, an agency may."""
    return tuple(r for r in requirements.obstacles(look, needs) if r.name != "nurse-competent")


def is_delivered(look: Look) -> bool:
    """Whether all that is brought for this visit is there."""
    return not any(rule(look).status == "unmet" for name, _, rule in RULES if name in DELIVERED)


def not_before(look: Look) -> datetime:
    """The earliest start: somebody must get there, and what is delivered for the visit must be there first."""
    soon = look.at + timedelta(hours=look.number("visit_notice_hours"))
    errand = look.visit.errand
    if errand is None or not SUPPLIES & set(errand.kinds) or is_delivered(look):
        return soon
    if (promise := promised(look)) is not None:
        return max(soon, promise)
    return max(soon, look.at + timedelta(hours=look.number("delivery_lead_hours"))) if errand.delivers else soon
