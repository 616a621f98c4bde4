"""Carries benefit requests and Claims to the payer, and what the payer says to it back as an answer.

Law of this file: `TryLater` only where the payer certainly has nothing; whatever may have reached it is `Doubtful`, and
a doubtful Claim is inquired after by its identifier before it is sent again, with the same identifier. Nothing leaves
that breaks what a payer may be sent: that is an answer too, and a person's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import httpx

from services.auth.answers import is_legal, tells_benefit, usable_answers
from services.auth.decision.clocks import DUE, LATE
from services.auth.discovery.asking import HOOK
from services.auth.fetching import with_contents
from services.auth.pharmacy.sets import (
    RECEIVED,
    REFUSED,
    UNREADABLE,
    as_request,
    is_usable,
    package_parameters,
    question_set_due,
    sets_in,
)
from services.auth.reading import gather_lane
from services.auth.subscribing.asking import SUBSCRIPTION
from services.auth.wire.attaching import attachment_parameters
from services.auth.wire.bundles import broken, eligibility_bundle, inquiry_bundle, request_bundle
from services.auth.wire.held import held_number
from services.auth.wire.information import asked_for, attachments, is_to_be_sent
from services.auth.wire.responses import OWN_OUTCOME, answers_claim, responses_in
from services.auth.wire.shapes import Known
from services.auth.wire.wanted import wanted_by
from services.auth.wire.withdrawing import takes_back
from services.auth.words import answer_of, question_code, references, target, task_code
from shared.core import Answer, Channel, Doubtful, Resource, TryLater, reference
from shared.fhir.json import LIMIT, GateError, decode, encode
from shared.fhir.outcomes import outcome
from shared.ports import Outside, Reader
from shared.posting import retry_after
from shared.settings import Partner, Payer, Site

Bundled = Callable[[Resource, Known, Site, Payer], dict[str, Any]]
"""Puts the request into the Bundle that is posted, given what is known of its patient."""
HEADERS = {"Content-Type": "application/fhir+json", "Accept": "application/fhir+json"}
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


# Channels


async def deliver_benefit(request: Resource, reader: Reader, outside: Outside) -> Answer:
    """POST CoverageEligibilityRequest/$submit; a second one changes nothing at the payer."""
    told = await _posted("CoverageEligibilityRequest/$submit", request, eligibility_bundle, reader, outside)
    if not told.sent:
        return Answer("benefit-unsendable", (told.body,))
    if not told.taken:
        return Answer("benefit-refused-by-payer", _outcomes(told.body))
    return Answer("benefit-answered", (told.body,)) if tells_benefit(told.body) else Answer("benefit-unreadable")


async def deliver_claim(claim: Resource, reader: Reader, outside: Outside) -> Answer:
    """POST Claim/$submit with the whole PAS Bundle; a Claim withdrawn meanwhile is not sent.

    One after an authorization somebody holds already is never submitted: the payer is inquired with.
    """
    if claim["status"] != "active":
        return Answer("preauthorization-withdrawn")
    if _is_asked_by_hand(claim, outside.site):
        return Answer("held-authorization-unknown" if held_number(claim) else "preauthorization-by-hand")
    if held_number(claim):
        return await deliver_inquiry(claim, reader, outside) or Answer("held-authorization-unknown")
    told = await _posted("Claim/$submit", claim, request_bundle, reader, outside)
    if not told.sent:
        return Answer("preauthorization-unsendable", (told.body,))
    if not told.taken:
        return Answer("preauthorization-refused-by-payer", _outcomes(told.body))
    return _claim_answer(claim, told.body)


async def deliver_question_set(response: Resource, reader: Reader, outside: Outside) -> Answer:
    """POST Questionnaire/$questionnaire-package for answers that wait for their set; twice is as good."""
    operation = "Questionnaire/$questionnaire-package"
    told = await _posted(operation, as_request(response), package_parameters, reader, outside)
    found = next((q for q in sets_in(told.body) if is_usable(q)), None) if told.taken else None
    if found is not None:
        return Answer(RECEIVED, (found,))
    outcomes = (told.body,) if not told.sent else _outcomes(told.body)
    return Answer(UNREADABLE if told.taken else REFUSED, outcomes)


async def deliver_cancellation(request: Resource, reader: Reader, outside: Outside) -> Answer:
    """POST Claim/$submit of a request that takes another back; a second one changes nothing at the payer.

    Where the payer is asked by hand, a person tells it.
    """
    if _is_asked_by_hand(request, outside.site):
        return Answer("payer-keeps")
    told = await _posted("Claim/$submit", request, request_bundle, reader, outside)
    found = usable_answers(request, told.body) if told.taken else ()
    return Answer("cancellation-answered", found) if found else Answer("payer-keeps", _outcomes(told.body))


async def deliver_inquiry(claim: Resource, reader: Reader, outside: Outside) -> Answer | None:
    """POST Claim/$inquire by our identifier: the answer, or None when the payer never saw the Claim.

    Raises only Doubtful: while nobody knows, the Claim must not be sent again. An inquiry that would break what a payer
    may be sent is a person's: no wait would change it.
    """
    try:
        told = await _posted("Claim/$inquire", claim, inquiry_bundle, reader, outside)
    except TryLater as later:
        raise Doubtful(str(later), later.after_seconds) from later
    if not told.sent:
        return Answer("preauthorization-unreadable", (told.body,))
    if told.status == httpx.codes.NOT_FOUND:
        return None
    if not told.taken:
        raise Doubtful(f"the inquiry was refused with {told.status}")
    if told.body.get("resourceType") not in ("Bundle", "Parameters"):
        raise Doubtful("the inquiry's answer cannot be read")
    return _claim_answer(claim, told.body) if _mentions(claim, told.body) else None


async def deliver_attachment(question: Resource, reader: Reader, outside: Outside) -> Answer:
    """POST $submit-attachment with what a payer wanted besides and an answered question says is to be sent."""
    lane = _lane(question["for"])
    known = await gather_lane(reader, lane)
    claim, wanted = asked_for(question, known)
    named = [reference(d) for d in attachments(question, known)]
    documents = attachments(question, await with_contents(known, named, lane, outside))
    if claim is None or wanted is None or not documents or claim["status"] != "active":
        return Answer("attachment-withdrawn")

    def parameters(claim: Resource, known: Known, site: Site, payer: Payer) -> dict[str, Any]:
        return attachment_parameters(claim, wanted, documents, known, site, payer)

    told = await _posted("$submit-attachment", claim, parameters, reader, outside)
    return Answer("attachment-taken") if told.taken else Answer("attachment-refused", _outcomes(told.body))


async def deliver_attachment_inquiry(question: Resource, reader: Reader, outside: Outside) -> Answer | None:
    """POST Claim/$inquire: None, and it is sent again, only where the payer's latest answer still asks for it."""
    claim, wanted = asked_for(question, await gather_lane(reader, _lane(question["for"])))
    if claim is None or wanted is None:
        return Answer("attachment-withdrawn")
    answer = await deliver_inquiry(claim, reader, outside)
    found = answer.resources if answer else ()
    if answer is None or answer.reason != "preauthorization-answered":
        raise Doubtful("the payer does not say whether it has what it asked for")
    asks = any(w.number == wanted.number for r in found[-1:] for w in wanted_by(r))
    return None if asks else Answer("attachment-taken")


async def deliver_demanded_inquiry(question: Resource, reader: Reader, outside: Outside) -> Answer:
    """POST Claim/$inquire because a person wants to know where a pended request stands; twice is as good."""
    known = await gather_lane(reader, _lane(question["for"]))
    claim = known[target(question["focus"]) or ""]
    return await deliver_inquiry(claim, reader, outside) or Answer("preauthorization-unreadable")


def _claim_answer(claim: Resource, body: Mapping[str, Any]) -> Answer:
    """The ClaimResponses of a body that answer this Claim; unreadable when no legal one does."""
    found = usable_answers(claim, body)
    return Answer("preauthorization-answered", found) if found else Answer("preauthorization-unreadable")


def _mentions(claim: Resource, body: Mapping[str, Any]) -> bool:
    """Whether a body holds an answer to this Claim, or one that cannot be read; answers to others are none."""
    return any(not is_legal(r) or answers_claim(r, claim) for r in responses_in(body))


# One request


class Told(NamedTuple):
    """What the payer said: HTTP status, and the body as JSON; empty where the gate refuses it.

    Status 0: nothing was sent, and the body is our own OperationOutcome that says why.
    """

    status: int
    body: dict[str, Any]

    @property
    def sent(self) -> bool:
        return self.status != 0

    @property
    def taken(self) -> bool:
        return httpx.codes.is_success(self.status)


async def _posted(operation: str, first: Resource, bundle: Bundled, reader: Reader, outside: Outside) -> Told:
    """The payer's 2xx, 3xx or 4xx answer, or why there is none. Raises Doubtful or TryLater for everything else."""
    payer, partner = _partner(first, outside)
    lane = _lane(first["patient"])
    known = await with_contents(await gather_lane(reader, lane), references(first), lane, outside)
    asked = bundle(first, known, outside.site, payer)
    if wrong := broken(asked):
        return Told(0, {**outcome(wrong), "meta": {"source": OWN_OUTCOME}})
    headers = dict(HEADERS)
    if partner.token_url:
        headers["Authorization"] = f"Bearer {await outside.token(partner.id)}"
    try:
        async with outside.http.stream(
            "POST", f"{partner.base}/{operation}", content=encode(asked), headers=headers
        ) as response:
            return await _told(response, outside.now())
    except NOT_SENT as error:
        raise TryLater(f"the payer cannot be reached: {type(error).__name__}") from error
    except httpx.HTTPError as error:
        raise Doubtful(f"no answer from the payer: {type(error).__name__}") from error


def _lane(patient: Mapping[str, Any]) -> str:
    return f"patient/{(target(patient) or '').rpartition('/')[2]}"


async def _told(response: httpx.Response, now: datetime) -> Told:
    """The answer, read no further than one byte past what the JSON gate lets in."""
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise TryLater("the payer is busy", retry_after(response, now))
    if response.is_server_error:
        raise Doubtful(f"the payer answered {response.status_code}", retry_after(response, now))
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk[: LIMIT + 1 - len(body)]
        if len(body) > LIMIT:
            break
    return Told(response.status_code, _decoded(bytes(body)))


def _partner(resource: Resource, outside: Outside) -> tuple[Payer, Partner]:
    """The configured payer a request names as insurer, and the partner that reaches it."""
    payer_id = resource["insurer"]["identifier"]["value"]
    payer = next(p for p in outside.site.payers if p.id == payer_id)
    return payer, outside.site.partners[payer.partner]


def _is_asked_by_hand(claim: Resource, site: Site) -> bool:
    """Whether the payer takes requests on paper or in its portal, and none by an interface."""
    payer_id = claim["insurer"]["identifier"]["value"]
    return any(p.id == payer_id and p.pathway != "pas" for p in site.payers)


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        return decode(body)
    except GateError:
        return {}


def _outcomes(body: Mapping[str, Any]) -> tuple[Resource, ...]:
    """What a refusal says was wrong, where it says it in FHIR."""
    legal = body.get("resourceType") == "OperationOutcome" and is_legal(body)
    return (body,) if legal else ()


# When


def benefit_due(before: Resource | None, after: Resource) -> str | None:
    """A new benefit request is delivered once."""
    new = before is None and after["resourceType"] == "CoverageEligibilityRequest"
    return "1" if new and after["status"] == "active" else None


def claim_due(before: Resource | None, after: Resource) -> str | None:
    """A new active preauthorization Claim is delivered once."""
    return "1" if _is_new_claim(before, after) and takes_back(after) is None else None


def cancellation_due(before: Resource | None, after: Resource) -> str | None:
    """A new request that takes another back is delivered once."""
    return "1" if _is_new_claim(before, after) and takes_back(after) is not None else None


def attachment_due(before: Resource | None, after: Resource) -> str | None:
    """What a payer wanted besides is delivered once, when its question is answered so."""
    return "1" if is_to_be_sent(after) and (before is None or not is_to_be_sent(before)) else None


def inquiry_due(before: Resource | None, after: Resource) -> str | None:
    """A person who is asked about a payer that is late, or soon will be, wants it inquired with."""
    return "1" if _demands(after) and (before is None or not _demands(before)) else None


def _demands(resource: Resource) -> bool:
    asked = task_code(resource) == "authorization-question" and question_code(resource) in (DUE, LATE)
    return asked and answer_of(resource) == "inquire"


def _is_new_claim(before: Resource | None, after: Resource) -> bool:
    is_claim = after["resourceType"] == "Claim" and after["use"] == "preauthorization"
    return before is None and is_claim and after["status"] == "active"


CHANNELS = (
    Channel("benefit", benefit_due, "idempotent", deliver_benefit),
    Channel("question-set", question_set_due, "idempotent", deliver_question_set),
    Channel("preauthorization", claim_due, "inquirable", deliver_claim, deliver_inquiry),
    Channel("attachment", attachment_due, "inquirable", deliver_attachment, deliver_attachment_inquiry),
    Channel("inquiry", inquiry_due, "idempotent", deliver_demanded_inquiry),
    Channel("cancellation", cancellation_due, "idempotent", deliver_cancellation),
    HOOK,
    SUBSCRIPTION,
)
