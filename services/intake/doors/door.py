"""The doors of intake: whichever way a client sends a referral, it is the same records under the same ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from services.intake.codes import DIGEST_ID, URI, task_code
from services.intake.doors import bundles
from services.intake.doors.bundles import Arrival, digest
from services.intake.doors.entries import TAKEN
from services.intake.doors.messages import Message, message_faults, message_id, reply
from services.intake.doors.placing import FULFILL
from services.intake.doors.shapes import ORDERS, Named, absolute, transaction, wanted
from services.intake.doors.subscriptions import Notification, notification_of
from services.intake.doors.waiting import waiting
from services.intake.pulls.provisional import EVENTS
from shared import ports
from shared.core import Resource
from shared.fhir.outcomes import Issue
from shared.ports import EVENT_NUMBERS, NoticedEvent
from shared.settings import Site

MOST_MISSED = 1000
"""Numbers of missed events that are remembered as asked for: the latest, which the next notification is compared to."""

Entered = Arrival | tuple[Issue, ...]


@dataclass(frozen=True, slots=True)
class Doors:
    """See `ports.Door`; `site` says which system a client's addresses may lead to."""

    site: Site

    def base(self, client: str) -> str | None:
        """The FHIR base of a client's own system, where we may read it."""
        referrer = self.site.referrers.get(client)
        partner = self.site.partners.get(referrer.read_from or "") if referrer else None
        return partner.base.rstrip("/") if partner else None

    def resolved(self, bundle: Resource, client: str) -> Entered:
        """A transaction Bundle."""
        return bundles.resolved(bundle, client)

    def single(self, resource: Resource, client: str) -> Entered:
        """One resource posted or put alone; an order or a Task that names none of ours is a referral."""
        if resource["resourceType"] not in ORDERS or _is_known(resource):
            return bundles.single(resource, client)
        if _is_no_referral(resource):
            return (Issue("not-supported", "Task.code", f"{FULFILL[0]}#{FULFILL[1]}, or none, would be right"),)
        base = self.base(client)
        url = f"{base}/{resource['resourceType']}/{resource['id']}" if base and "id" in resource else None
        named = {k: v for k, v in resource.items() if k != "id"}
        entered = self._entered([(url, named)], client, url or digest(named))
        return entered if isinstance(entered, Arrival) else _alone(entered, resource["resourceType"])

    def message(self, bundle: Resource, client: str) -> Entered:
        """A message Bundle: what a transaction with its entries means."""
        if issues := message_faults(bundle):
            return issues
        message = Message(bundle)
        entered = self._entered(message.entries, client, message.id)
        return entered if isinstance(entered, Arrival) else _shifted(entered)

    def notification(self, bundle: Resource, client: str) -> Notification | tuple[Issue, ...]:
        """A notification of a Subscription that this practice has at the client's system."""
        return notification_of(bundle, self.base(client))

    def message_id(self, bundle: Resource) -> str | None:
        """See `messages.message_id`."""
        return message_id(bundle)

    def reply(self, message: str, client: str, base: str, focus: str | None, issues: Sequence[Issue] = ()) -> Resource:
        """See `messages.reply`."""
        return reply(message, client, base, focus, issues)

    def notified(self, notification: ports.Notification, event: NoticedEvent, client: str) -> Entered:
        """One event of a notification: the records it brought, or the address to read."""
        bundle = transaction((), _address(event.focus))
        alone = waiting(bundle, client, [event.focus], event.focus)
        entered = self._entered(event.brought, client, event.focus) if event.brought else alone
        if not isinstance(entered, Arrival) or event.number is None:
            return entered
        number = (EVENT_NUMBERS + notification.subscription, str(event.number), entered.lane.removeprefix("patient/"))
        return replace(entered, identities=(*entered.identities, number))

    def missed(self, subscription: str, since: int, until: int, client: str) -> Arrival:
        """Events of which no notification came: the sender's system is asked for them."""
        address = f"{subscription}{EVENTS}eventsSinceNumber={since}&eventsUntilNumber={until}"
        arrival = waiting(transaction(()), client, [address], address)
        patient, system = arrival.lane.removeprefix("patient/"), EVENT_NUMBERS + subscription
        asked = tuple((system, str(n), patient) for n in range(max(since, until - MOST_MISSED + 1), until + 1))
        return replace(arrival, identities=(*arrival.identities, *asked))

    def _entered(self, named: Iterable[Named], client: str, key: str) -> Entered:
        base = self.base(client)
        address = _address(key) if key.startswith("http") else {"system": DIGEST_ID, "value": key}
        bundle = absolute(transaction(named, address), base)
        urls = wanted(bundle, base)
        return waiting(bundle, client, urls, key) if urls else bundles.resolved(bundle, client)


def _is_known(resource: Resource) -> bool:
    """Whether it is a new version of one of ours, or an answer to a Task of ours."""
    return TAKEN.fullmatch(str(resource.get("id", ""))) is not None or task_code(resource) is not None


def _is_no_referral(resource: Resource) -> bool:
    """Whether a Task asks for something else than to fulfil an order."""
    codings = {(c.get("system"), c.get("code")) for c in resource.get("code", {}).get("coding", ())}
    return resource["resourceType"] == "Task" and bool(codings) and FULFILL not in codings


def _address(url: str) -> Mapping[str, Any]:
    return {"system": URI, "value": url}


def _alone(issues: Iterable[Issue], kind: str) -> tuple[Issue, ...]:
    """The issues of a Bundle of one as those of the resource itself."""
    found = (replace(i, expression=i.expression.replace("Bundle.entry[0].resource", kind)) for i in issues)
    return tuple(replace(i, expression=kind) if i.expression.startswith("Bundle") else i for i in found)


def _shifted(issues: Iterable[Issue]) -> tuple[Issue, ...]:
    """The issues of a transaction, by the places its entries had behind a MessageHeader."""

    def moved(expression: str) -> str:
        head, found, rest = expression.partition("Bundle.entry[")
        number, _, tail = rest.partition("]")
        return f"{head}Bundle.entry[{int(number) + 1}]{tail}" if found and number.isdigit() else expression

    return tuple(replace(i, expression=moved(i.expression)) for i in issues)
