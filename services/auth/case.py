"""One filler order seen whole: its patient, coverage, payer, drug, doses, and what was asked and answered so far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from services.auth.facts import Facts
from services.auth.findings import Chart, is_refuted
from services.auth.policy import AuthPolicy
from services.auth.regimen import Regimen, fingerprint, regimen_of
from services.auth.words import ANSWER, ICD_10_CM, PERIOD, PREFIX, QUESTION, code_of, day, site_of_care, target
from shared.catalogue import HCPCS, Drug, recognised
from shared.core import Resource, derived_id, reference
from shared.policy import Figure
from shared.settings import Payer

CHARTED = (
    "Observation", "Condition", "MedicationRequest", "MedicationStatement", "AllergyIntolerance", "DocumentReference",
)  # fmt: skip
ENDED = {"revoked", "entered-in-error"}
UNBOUNDED = 365
"""Days of doses asked for where neither the order nor the payer's criteria say."""


@dataclass(frozen=True, slots=True)
class Case:
    """An order and everything its authorization rests on. `at` is the instant of the event."""

    order: Resource
    facts: Facts
    policy: AuthPolicy
    at: datetime
    coverage: Resource | None
    payer: Payer | None
    drug: Drug | None
    diagnoses: tuple[str, ...]

    @property
    def on(self) -> date:
        """The practice's own date of the event."""
        return self.at.astimezone(self.policy.site.sites[0].time_zone).date()

    @property
    def starts(self) -> date:
        """The first date of service the order asks for."""
        return starts_on(self.order) or self.on

    @property
    def medication(self) -> Resource | None:
        """The order's MedicationRequest."""
        cited = (self.facts.at(target(i)) for i in self.order.get("supportingInfo", ()))
        return next((r for r in cited if r and r["resourceType"] == "MedicationRequest"), None)

    @property
    def chart(self) -> Chart:
        """What the payer's criteria are judged on: everything clinical received, but the order itself."""
        own = self.medication
        received = tuple(r for r in self.facts.of(*CHARTED) if own is None or r["id"] != own["id"])
        return Chart(self.patient, received, self.on, self.policy.site.sites[0].time_zone)

    @property
    def patient(self) -> Resource | None:
        """Whom the order is for."""
        return self.facts.at(target(self.order["subject"]))

    @property
    def criteria(self) -> Figure | None:
        """The payer's criteria in force on the date of submission."""
        if self.payer is None or self.drug is None:
            return None
        return self.policy.criteria(self.payer, self.drug, self.diagnoses, self.on)

    @property
    def period_days(self) -> int:
        """Days an initial authorization is asked for."""
        return int(self.criteria.value.get("initial_days", UNBOUNDED)) if self.criteria else UNBOUNDED

    @property
    def regimen(self) -> Regimen | str:
        """The order's doses, or the gap that keeps them from being counted."""
        return regimen_of(self.medication, self.chart, self.period_days)

    @property
    def fingerprint(self) -> str:
        """What an authorization of this order is asked for."""
        return fingerprint(self.drug, self.medication, self.diagnoses, site_of_care(self.order))

    @property
    def hcpcs(self) -> str | None:
        """The drug's billing code on the first date of service."""
        code = self.drug.billing_on(self.starts) if self.drug else None
        return code.code if code else None

    @property
    def may_ask(self) -> bool:
        """Whether the order is clinically complete, so that the payer may be asked."""
        return bool(self.order["status"] == "active")

    @property
    def ended(self) -> bool:
        """Whether the order was taken back."""
        return self.order["status"] in ENDED

    # What was asked and answered

    @property
    def task(self) -> Resource | None:
        """The Task `preauthorization` as it stands."""
        return self.facts.at("Task/" + derived_id(PREFIX, "preauthorization", self.order["id"], PERIOD))

    @property
    def questions(self) -> tuple[Resource, ...]:
        """Every authorization-question of this order, oldest first."""
        return self.facts.tasks(self.order, "authorization-question")

    @property
    def benefit_request_id(self) -> str:
        """The id of the benefit request for order, Coverage and drug; another drug, or `resubmit`, is one more."""
        coverage = self.coverage["id"] if self.coverage else ""
        ordinal = 1
        while True:
            request_id = derived_id(
                PREFIX, "CoverageEligibilityRequest", self.order["id"], coverage, "initial", str(ordinal)
            )
            stored = self.facts.at("CoverageEligibilityRequest/" + request_id)
            if stored is None or (self._same_product(stored) and "resubmit" not in self.answers_about(stored)):
                return request_id
            ordinal += 1

    def _same_product(self, request: Resource) -> bool:
        return code_of(request["item"][0]["productOrService"], HCPCS) == self.hcpcs

    def answers_about(self, resource: Resource) -> set[str]:
        """What persons answered to the questions about one resource."""
        about = (q for q in self.questions if target(q["focus"]) == reference(resource))
        return {answer for q in about if (answer := answer_of(q))}

    @property
    def benefit(self) -> Resource | None:
        """The payer's answer to the benefit request."""
        response_id = derived_id(PREFIX, "CoverageEligibilityResponse", self.benefit_request_id)
        return self.facts.at("CoverageEligibilityResponse/" + response_id)

    @property
    def claim_id(self) -> str:
        """The id of the Claim for order, Coverage, reviewer, period and attempt; each `resubmit` is one more."""
        attempt = 1 + sum(answer_of(q) == "resubmit" for q in self.questions if not _of_benefit(q))
        while not self.ended and self.facts.status("Claim/" + self._claim_id(attempt)) == "cancelled":
            attempt += 1
        return self._claim_id(attempt)

    def _claim_id(self, attempt: int) -> str:
        coverage = self.coverage["id"] if self.coverage else ""
        payer = self.payer.id if self.payer else ""
        return derived_id(PREFIX, "Claim", self.order["id"], coverage, payer, PERIOD, str(attempt))

    @property
    def claim(self) -> Resource | None:
        """The Claim that stands, if one was made."""
        return self.facts.at("Claim/" + self.claim_id)

    def answers_to(self, claim: Resource) -> tuple[Resource, ...]:
        """The payer's answers to one Claim, oldest first."""
        wanted = "Claim/" + claim["id"]
        return tuple(r for r in self.facts.of("ClaimResponse") if target(r.get("request")) == wanted)


def case_of(order: Resource, facts: Facts, policy: AuthPolicy, at: datetime) -> Case:
    """The case of one order as the facts stand."""
    on = starts_on(order) or at.astimezone(policy.site.sites[0].time_zone).date()
    coverage = _coverage(order, facts, on)
    payers = (facts.at(target(p)) for p in (coverage or {}).get("payor", ()))
    organizations = [o for o in payers if o is not None]
    return Case(
        order=order,
        facts=facts,
        policy=policy,
        at=at,
        coverage=coverage,
        payer=policy.payer_of(coverage, organizations) if coverage else None,
        drug=recognised((order.get("code") or {}).get("coding", ())),
        diagnoses=tuple(dict.fromkeys(_diagnoses(order, facts))),
    )


def starts_on(order: Resource) -> date | None:
    """The first date of service an order names."""
    return day((order.get("occurrencePeriod") or {}).get("start"))


def _coverage(order: Resource, facts: Facts, on: date) -> Resource | None:
    """The order's first Coverage in force on the first date of service, else the patient's first."""
    named = [facts.at(target(i)) for i in order.get("insurance", ())]
    subject = target(order["subject"])
    others = [c for c in facts.of("Coverage") if target(c.get("beneficiary")) == subject]
    return next((c for c in (*named, *others) if c is not None and _covers(c, on)), None)


def _covers(coverage: Resource, on: date) -> bool:
    period = coverage.get("period") or {}
    first, last = day(period.get("start")) or date.min, day(period.get("end")) or date.max
    return coverage.get("status") == "active" and first <= on <= last


def _diagnoses(order: Resource, facts: Facts) -> Iterable[str]:
    conditions = (facts.at(target(r)) for r in order.get("reasonReference", ()))
    standing = (c for c in conditions if c is not None and not is_refuted(c))
    coded = [c.get("code") or {} for c in standing] + list(order.get("reasonCode", ()))
    for concept in coded:
        yield from (c["code"] for c in concept.get("coding", ()) if c.get("system") == ICD_10_CM and "code" in c)


def _of_benefit(question: Resource) -> bool:
    return (target(question["focus"]) or "").startswith("CoverageEligibilityRequest/")


def question_code(question: Resource) -> str | None:
    """What an authorization-question asks."""
    return next((code_of(i.get("type"), QUESTION) for i in question.get("input", ())), None)


def answer_of(question: Resource) -> str | None:
    """What a person answered: the code of the first `answer` of a completed question."""
    if question["status"] != "completed":
        return None
    return next((code for o in question.get("output", ()) if (code := code_of(o.get("type"), ANSWER))), None)
