"""What keeps a patient safe before the first dose: allergies, vaccination, enrolment, venous access, people, a kit."""

from __future__ import annotations

from datetime import date, timedelta

from services.intake.codes import CVX, code_of
from services.intake.facts import Case
from services.intake.records import day, holds
from services.intake.requirements.gap import Gap, limit
from services.intake.requirements.results import jcv_antibody
from services.intake.requirements.written import at_home, codes, order_says, says
from shared.core import Resource
from shared.policy import Figures


def allergies(case: Case, _: Figures) -> Gap | None:
    """Allergies are said, also that there are none (AllergyIntolerance of no known allergy)."""
    if any(holds(a) for a in case.facts.of("AllergyIntolerance")):
        return None
    return Gap("allergies-missing", "AllergyIntolerance", "Each allergy, or an AllergyIntolerance of no known allergy")


def access_device(case: Case, figures: Figures) -> Gap | None:
    """The line the drug goes through is there: a Device in use, or its DeviceUseStatement."""
    devices = [d for d in case.facts.of("Device") if d.get("status", "active") == "active"]
    uses = [u for u in case.facts.of("DeviceUseStatement") if u.get("status") in ("active", "intended", "on-hold")]
    worded = (*devices, *uses)
    if any(_is_access(record, case, figures) for record in worded):
        return None
    text = "The venous access (Device with its type, or DeviceUseStatement): PICC, midline, port, tunneled catheter"
    return Gap("access-device-missing", "DeviceUseStatement.device", text)


def _is_access(record: Resource, case: Case, figures: Figures) -> bool:
    known = set(limit(figures, "access_device_snomed", case) or ())
    named = known & set(codes(record, "http://snomed.info/sct"))
    return bool(named) or says(record, "access_device_words", case, figures)


def meningococcal_vaccination(case: Case, figures: Figures) -> Gap | None:
    """Vaccinated against groups ACWY and B, each at least two weeks before the first dose, or antibiotics meanwhile."""
    given = {group: _vaccinated(case, figures, group) for group in ("acwy", "b")}
    where = "Immunization.where(vaccineCode.coding.system = 'http://hl7.org/fhir/sid/cvx')"
    if not all(given.values()):
        text = "Immunizations against meningococci of groups ACWY and B, by CVX code, with their dates"
        return Gap("meningococcal-vaccination-missing", where, text)
    start, days = day(case.start), limit(figures, "vaccinated_before_start_days", case)
    late = [on for on in given.values() if on and start and days is not None and on > start - timedelta(days=days)]
    if not late or _prophylaxis(case, figures):
        return None
    text = f"The first dose {days} days or more after vaccination, or an antibiotic until then"
    return Gap("meningococcal-vaccination-late", f"{where}.occurrence", text)


def _vaccinated(case: Case, figures: Figures, group: str) -> date | None:
    """The day of the first vaccination against a group; None where there is none."""
    known = set(limit(figures, f"meningococcal_{group}_cvx", case) or ())
    done = (i for i in case.facts.of("Immunization") if i.get("status") == "completed")
    days = (day(i.get("occurrenceDateTime")) for i in done if known & set(codes(i.get("vaccineCode", {}), CVX)))
    return min((d for d in days if d is not None), default=None)


def _prophylaxis(case: Case, figures: Figures) -> bool:
    taken = case.facts.of("MedicationRequest", "MedicationStatement")
    return any(r.get("status") == "active" and says(r, "prophylaxis_words", case, figures) for r in taken)


def rems_enrolled(case: Case, figures: Figures) -> Gap | None:
    """The patient is enrolled in the drug's safety program (REMS), where it has one; the visit waits, not the order."""
    programs = limit(figures, "rems_programs", case) or {}
    words = programs.get(case.drug.key) if case.drug else None
    if not words or _enrolled(case, words):
        return None
    text = "Enrolment in the drug's safety program: a DocumentReference that names it, or the patient's number in it"
    return Gap("rems-enrollment-missing", "DocumentReference.type", text, clinical=False)


def _enrolled(case: Case, named: list[str]) -> bool:
    documents = (d for d in case.facts.of("DocumentReference") if d.get("status") == "current")
    numbers = (i for i in case.patient.get("identifier", ()) if i.get("value"))
    found = " ".join([*map(_title, documents), *(str(i.get("system", "")) for i in numbers)]).lower()
    return any(word.lower() in found for word in named)


def _title(document: Resource) -> str:
    concepts = [document.get("type", {}), *document.get("category", ())]
    said = [c.get("text", "") for c in concepts] + [g.get("display", "") for c in concepts for g in c.get("coding", ())]
    titles = [c.get("attachment", {}).get("title", "") for c in document.get("content", ())]
    return " ".join([*said, *titles, document.get("description", "")])


def jcv_where_asked(case: Case, figures: Figures) -> Gap | None:
    """An antibody result against JC virus before the drugs that ask for it."""
    asked = limit(figures, "jcv_antibody_drugs", case) or ()
    return jcv_antibody(case, figures) if case.drug is not None and case.drug.key in asked else None


def caregiver(case: Case, _: Figures) -> Gap | None:
    """Somebody who helps at home is named (RelatedPerson)."""
    if any(p.get("active", True) for p in case.facts.of("RelatedPerson")):
        return None
    return Gap("caregiver-missing", "RelatedPerson", "Who helps at home (RelatedPerson)", clinical=False)


def spill_kit(case: Case, figures: Figures) -> Gap | None:
    """A spill kit is ordered where chemotherapy is given at home."""
    kits = (d for d in case.facts.of("Device") if says(d, "spill_kit_words", case, figures))
    if not at_home(case) or order_says("spill_kit_words", case, figures) or any(kits):
        return None
    text = "A spill kit for the home: in ServiceRequest.orderDetail, or as Device"
    return Gap("spill-kit-missing", "ServiceRequest.orderDetail", text, clinical=False)


def cardiology(case: Case, figures: Figures) -> Gap | None:
    """An inotrope is ordered by cardiology or after its evaluation (prescriber's role, or a document)."""
    named = case.facts.at(case.requester) or {}
    documents = (d for d in case.facts.of("DocumentReference") if d.get("status") == "current")
    taxonomy = set(limit(figures, "cardiology_taxonomy", case) or ())
    records = (named, *case.prescribers, *documents)
    if any(says(r, "cardiology_words", case, figures) or _specialty(r) in taxonomy for r in records):
        return None
    text = "The prescriber's specialty (PractitionerRole.specialty), or the cardiologist's evaluation as document"
    return Gap("cardiology-evaluation-missing", "PractitionerRole.specialty", text)


def _specialty(record: Resource) -> str | None:
    system = "http://nucc.org/provider-taxonomy"
    return next((found for s in record.get("specialty", ()) if (found := code_of(s, system))), None)
