"""A transaction Bundle: every entry takes part in one decision, or none does.

Law of this file: deletions, conditions and patches are worked out first, so the door sees creates and updates alone;
the versions they were worked out on must still be the current ones under the lane. What is read, is read last.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote

from fastapi import HTTPException
from fastapi.responses import Response

from shared.app import Application, Handle, Stale
from shared.core import Resource, reference
from shared.fhir.outcomes import Issue
from shared.fhir.references import rewritten
from shared.web.addressed import located
from shared.web.answers import answered, entry_response, etag
from shared.web.calls import Call, body_of_entry
from shared.web.capability import Kinds
from shared.web.conditions import Conditions, condition_of
from shared.web.deleting import nullified
from shared.web.entries import calls_of, check_permitted, refusal_told, told
from shared.web.interactions import Interactions
from shared.web.patching import JSON_PATCH, operations_of
from shared.web.prefer import preference
from shared.web.reading import Reading
from shared.web.requests import Refused, media_type, refused, status_of, version_asked
from shared.web.senders import Sender, check_deletable
from shared.web.sight import Sight
from shared.web.writing import Writing, check_open, check_version, new, stale

_REFERRAL = ("ServiceRequest", "Task")
"""Kinds whose business identifier is the case itself: the door knows them by it, whatever a condition finds."""
_OWN = re.compile(r"identifier=[^|&]+\|[^|&]+")
_ENTRY = re.compile(r"^Bundle\.entry\[(\d+)\]")


@dataclass(slots=True)
class Plan:
    """What the entries of a transaction come to.

    left      entry -> the create or update the door is given.
    kept      entry -> the resource a condition found, which stays as it is.
    expected  (id, versionId) that something was worked out on.
    names     fullUrl -> `Type/id` of what stays as it is.
    """

    left: dict[int, dict[str, Any]] = field(default_factory=dict)
    kept: dict[int, Resource] = field(default_factory=dict)
    expected: list[tuple[str, str]] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)


class Transactions:
    """Takes transaction Bundles, in the process of the door."""

    def __init__(
        self, app: Application, sight: Sight, kinds: Kinds, reading: Reading, writing: Writing, conditions: Conditions,
        interactions: Interactions,
    ) -> None:  # fmt: skip
        self._sight, self._kinds, self._reading, self._writing = sight, kinds, reading, writing
        self._conditions, self._interactions = conditions, interactions
        self._base = app.settings.base_url + "/fhir"

    async def taken(self, sender: Sender, bundle: Resource, prefer: str) -> Response:
        """All of it or nothing."""
        handle, _ = self._writing.door()
        preferred = preference(prefer)
        calls = calls_of(bundle, self._base, prefer)
        for n, call in calls.items():
            kind = _kind(bundle["entry"][n], call)
            self._check_held(n, kind)
            check_permitted(sender.access, call, kind)
        _check_once(calls)
        plan = await self._planned(sender, bundle, calls)
        entered = await self._entered(sender, handle, bundle, plan)
        stored = {n: r for n, r in {**plan.kept, **entered.stored}.items() if r is not None}
        shown = dict(zip(stored, await self._sight.shown(sender.access, list(stored.values())), strict=True))
        said: dict[int, Resource] = {
            n: entry_response(shown.get(n), self._base, created=n in entered.new, preferred=preferred)
            for n in {**plan.kept, **entered.stored}
        }
        said |= {n: _deletion(entered.stored.get(n)) for n, c in calls.items() if c.method == "DELETE"}
        said |= {n: await self._read(sender, c) for n, c in calls.items() if c.method == "GET"}
        entries = [said[n] for n in sorted(said)]
        return answered({"resourceType": "Bundle", "type": "transaction-response", "entry": entries})

    def _check_held(self, n: int, kind: str) -> None:
        """422 for an entry of a type nobody here owns: it is the content that is wrong, not the address."""
        try:
            self._kinds.check_held(kind)
        except Refused as refusal:
            raise Refused(422, [_within(n, issue) for issue in refusal.issues]) from None

    async def _read(self, sender: Sender, call: Call) -> dict[str, Any]:
        """What is read once the rest stands; what cannot be read undoes nothing."""
        try:
            return told(await self._interactions.answer(sender, call))
        except HTTPException as refusal:
            return refusal_told(refusal)

    # What is worked out first

    async def _planned(self, sender: Sender, bundle: Resource, calls: Mapping[int, Call]) -> Plan:
        plan = Plan()
        for n, call in calls.items():
            try:
                await self._one(sender, bundle["entry"][n], n, call, plan)
            except Refused as refusal:
                status = 422 if refusal.status_code == 404 else refusal.status_code
                raise Refused(status, [_within(n, issue) for issue in refusal.issues]) from None
        return plan

    async def _one(self, sender: Sender, entry: dict[str, Any], n: int, call: Call, plan: Plan) -> None:
        if call.method != "POST":
            self._kinds.check_held(call.kind)
        match call.method:
            case "POST" if "if-none-exist" in call.headers:
                await self._created_where(sender, entry, n, call, plan)
            case "POST":
                plan.left[n] = entry
            case "PUT" if call.id:
                plan.left[n] = _put(entry, entry["resource"], await self._addressed(sender, call, plan))
            case "PUT":
                await self._updated_where(sender, entry, n, call, plan)
            case "PATCH":
                await self._patched(sender, entry, n, call, plan)
            case "DELETE":
                await self._deleted(sender, entry, n, call, plan)

    async def _created_where(self, sender: Sender, entry: dict[str, Any], n: int, call: Call, plan: Plan) -> None:
        asked, resource = call.headers["if-none-exist"], entry["resource"]
        found = await self._conditions.match(sender.access, call.kind, condition_of(asked), resource)
        if found is None or call.kind in _REFERRAL:
            plain = {k: v for k, v in entry["request"].items() if k != "ifNoneExist"}
            plan.left[n] = entry if _OWN.fullmatch(unquote(asked)) else {**entry, "request": plain}
        else:
            plan.kept[n] = found
            plan.names |= {entry["fullUrl"]: reference(found)} if "fullUrl" in entry else {}

    async def _updated_where(self, sender: Sender, entry: dict[str, Any], n: int, call: Call, plan: Plan) -> None:
        found = await self._conditions.match(sender.access, call.kind, call.params, entry["resource"])
        if found is not None:
            stored = await self._addressed(sender, replace(call, id=found["id"]), plan)
            plan.left[n] = _put(entry, entry["resource"], stored)
        else:
            check_permitted(sender.access, replace(call, method="POST"), call.kind)
            is_own = _OWN.fullmatch("&".join(f"{k}={v}" for k, v in call.params))
            plan.left[n] = entry if is_own else {**entry, "request": {"method": "POST", "url": call.kind}}

    async def _patched(self, sender: Sender, entry: dict[str, Any], n: int, call: Call, plan: Plan) -> None:
        if media_type(call.headers.get("content-type", "")) != JSON_PATCH:
            raise refused(415, "not-supported", f"a Binary of {JSON_PATCH} would be right", "resource.contentType")
        named = await self._named(sender, call)
        if named is None:
            raise refused(422, "not-found", f"a condition that one {call.kind} meets would be right", "request.url")
        stored = await self._addressed(sender, named, plan, deleted_too=False)
        self._kinds.check_updated(named.kind, named.id)
        resource = self._writing.checked_patch(stored, operations_of(body_of_entry(entry)))
        plan.expected.append((stored["id"], stored["meta"]["versionId"]))
        plan.left[n] = _put(entry, resource, stored)

    async def _deleted(self, sender: Sender, entry: dict[str, Any], n: int, call: Call, plan: Plan) -> None:
        named = await self._named(sender, call)
        if named is None:
            return
        stored = await self._addressed(sender, named, plan)
        self._kinds.check_deleted(named.kind, named.id)
        await check_deletable(self._sight, sender, self._writing.door()[0], stored)
        plan.left[n] = _put(entry, nullified(stored), stored)

    async def _named(self, sender: Sender, call: Call) -> Call | None:
        """The call on the one resource it means, by its id or by its condition."""
        if call.id:
            return call
        found = await self._conditions.match(sender.access, call.kind, call.params)
        return replace(call, id=found["id"]) if found is not None else None

    async def _addressed(self, sender: Sender, call: Call, plan: Plan, *, deleted_too: bool = True) -> Resource:
        """What is stored of a record this client may see, in the version it asks for."""
        stored = await self._reading.visible(sender.access, call.kind, call.id, deleted_too=deleted_too)
        check_open(stored)
        version = version_asked(call.headers.get("if-match"))
        check_version(stored, version)
        plan.expected += [(stored["id"], version)] if version is not None else []
        return stored

    # What is then decided

    async def _entered(self, sender: Sender, handle: Handle, bundle: Resource, plan: Plan) -> Entered:
        """One decision on all that is left; a transaction that changes nothing needs none."""
        if not plan.left and bundle.get("entry"):
            return Entered({}, frozenset())
        order = sorted(plan.left)
        left = rewritten({**bundle, "entry": [plan.left[n] for n in order]}, plan.names)
        found = self._writing.door()[1].resolved(await located(handle, sender.client, left), sender.client)
        if isinstance(found, tuple):
            raise Refused(status_of(found), [_replaced(issue, order) for issue in found])
        try:
            result = await self._writing.entered(sender, handle, found, "referral-received", plan.expected)
        except Stale:
            raise stale() from None
        places = {order[at]: place for at, place in found.entries}
        saved = {reference(r): r for r in result.saved}
        held = saved | await self._writing.stored(handle, [p for p in places.values() if p not in saved])
        made = new(result)
        fresh = frozenset(n for n, place in places.items() if place in made)
        return Entered({n: held.get(place) for n, place in places.items()}, fresh)


@dataclass(frozen=True, slots=True)
class Entered:
    """What became of the entries the door was given: what is stored of each, and which are new."""

    stored: Mapping[int, Resource | None]
    new: frozenset[int]


def _kind(entry: Resource, call: Call) -> str:
    """The type an entry needs a scope for: of what it brings, else of its address."""
    return str(entry["resource"]["resourceType"]) if call.method in ("POST", "PUT") else call.kind


def _check_once(calls: Mapping[int, Call]) -> None:
    """400 where two entries change one record (R4 http, transaction)."""
    first: dict[tuple[str, str], int] = {}
    changing = {n: (c.kind, c.id) for n, c in calls.items() if c.id and c.method in ("PUT", "PATCH", "DELETE")}
    again = [n for n, place in changing.items() if first.setdefault(place, n) != n]
    if again:
        text = "each record once in one transaction would be right"
        raise Refused(400, [Issue("duplicate", f"Bundle.entry[{n}].request.url", text) for n in again])


def _put(entry: dict[str, Any], resource: Resource, stored: Resource) -> dict[str, Any]:
    """An entry as the update of a stored record."""
    request = {"method": "PUT", "url": reference(stored)}
    return {**entry, "resource": {**resource, "id": stored["id"]}, "request": request}


def _deletion(stored: Resource | None) -> dict[str, Any]:
    """The answer to a DELETE, of a record or of none."""
    return {"response": {"status": "204 No Content", **({"etag": etag(stored)} if stored is not None else {})}}


def _within(n: int, issue: Issue) -> Issue:
    """An issue of one entry, with its place in the Bundle."""
    tail = issue.expression.partition(".")[2]
    inner = f".{issue.expression}" if issue.expression.startswith("re") else f".resource.{tail}" if tail else ""
    return _moved(issue, f"Bundle.entry[{n}]{inner}")


def _replaced(issue: Issue, order: list[int]) -> Issue:
    """An issue of the Bundle the door was given, with its place in the one that was sent."""
    return _moved(issue, _ENTRY.sub(lambda found: f"Bundle.entry[{order[int(found[1])]}]", issue.expression))


def _moved(issue: Issue, expression: str) -> Issue:
    return Issue(issue.code, expression, issue.diagnostics, issue.severity, issue.rule, issue.profile)
