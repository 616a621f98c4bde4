"""Notifications of Subscriptions this practice has at its referrers' systems: each event counts once, gaps are read."""

from __future__ import annotations

import hmac

from fastapi import FastAPI, Request
from fastapi.responses import Response

from shared.app import Application, Handle, Once, Stale
from shared.core import IDENTIFIERS, Resource
from shared.fhir.outcomes import outcome
from shared.ports import EVENT_NUMBERS, Door, NoticedEvent, Notification
from shared.smart.scopes import parse
from shared.smart.server import Gate
from shared.smart.tokens import Access
from shared.web.addressed import located
from shared.web.answers import answered
from shared.web.peers import Peers
from shared.web.requests import Refused, body_of, check_media_types, checked, refused
from shared.web.senders import Sender
from shared.web.writing import Writing

PATH = "/notifications/ehr"
EVENTS = IDENTIFIERS + "subscription-event"
"""The system under which a client's events are remembered: `<Subscription> <what tells the event from others>`."""


class Notifications:
    """What Subscriptions elsewhere tell, in the process of the door."""

    def __init__(self, app: Application, writing: Writing) -> None:
        self._app, self._writing = app, writing

    async def taken(self, sender: Sender, bundle: Resource) -> Response:
        """Takes a notification: 200, again too; a handshake or heartbeat changes nothing.

        Each event is decided by itself: where one is refused the notification is, and what was taken before stays.
        """
        handle, door = self._writing.door()
        first, *rest = bundle["entry"]
        located_ = [await _located(handle, sender.client, entry) for entry in rest]
        notification = door.notification({**bundle, "entry": [first, *located_]}, sender.client)
        if isinstance(notification, tuple):
            raise Refused(422, notification)
        known = await self._before(handle, sender.client, notification)
        for event in notification.events:
            await self._event(handle, door, sender, notification, event)
        await self._gap(handle, door, sender, notification, known)
        return answered(outcome(()))

    async def _event(
        self, handle: Handle, door: Door, sender: Sender, notification: Notification, event: NoticedEvent
    ) -> None:
        """One event; a repeated one changes nothing."""
        arrival = door.notified(notification, event, sender.client)
        if isinstance(arrival, tuple):
            raise Refused(422, arrival)
        once = Once(EVENTS, f"{notification.subscription} {event.key}", arrival.lane.partition("/")[2])
        try:
            await self._writing.entered(sender, handle, arrival, "referral-received", once=once)
        except Stale:
            return

    async def _before(self, handle: Handle, client: str, notification: Notification) -> int | None:
        """The highest number known below what is told now; None where none is."""
        first, system = _first(notification), EVENT_NUMBERS + notification.subscription
        if first is None:
            return None
        sql = "select value from identity where client = $1 and system = $2"
        async with handle.database.reading() as tx:
            if await tx.fetch(sql + " and value = $3", client, system, str(first - 1)):
                return first - 1
            rows = await tx.fetch(sql, client, system)
        return max((int(r[0]) for r in rows if int(r[0]) < first), default=None)

    async def _gap(
        self, handle: Handle, door: Door, sender: Sender, notification: Notification, known: int | None
    ) -> None:
        """Numbers between what was known and what is told now are asked for; before the first there is nothing."""
        first = _first(notification)
        if known is None or first is None or first - known < 2:
            return
        arrival = door.missed(notification.subscription, known + 1, first - 1, sender.client)
        await self._writing.entered(sender, handle, arrival, "referral-received")


def _first(notification: Notification) -> int | None:
    """The lowest number told; of a heartbeat, the one that will come next."""
    told = [e.number for e in notification.events if e.number is not None]
    count = notification.count
    return min(told) if told else count + 1 if count is not None else None


async def _located(handle: Handle, client: str, entry: Resource) -> Resource:
    return {**entry, "resource": await located(handle, client, entry["resource"])} if "resource" in entry else entry


def add_notifications(api: FastAPI, app: Application, gate: Gate, peers: Peers, writing: Writing) -> None:
    """`POST /notifications/ehr/{client}`: a notification by a client's token, or by the secret agreed with it.

    200 taken (again, too); 400 and 422 no notification of its system; 401 neither token nor secret; 413 and 415 by
    size and media type.
    """
    notifications = Notifications(app, writing)

    @api.post(PATH + "/{client_id}", tags=["FHIR"], summary="A notification of a Subscription at a referrer's system")
    async def notified(client_id: str, request: Request) -> Response:
        sender = await _sender(client_id, request, app, gate)
        check_media_types(request, body=True)
        body = await body_of(request)
        if app.door is None and peers.door is not None:
            return await peers.forwarded(request, peers.door, body)
        handle, _ = writing.door()
        async with writing.kept(handle, sender, "POST " + PATH, body):
            bundle = checked(body, app.validator)
            if bundle["resourceType"] != "Bundle" or not bundle.get("entry"):
                raise refused(422, "structure", "a Bundle of type history with the Subscription's status", "Bundle")
            return await notifications.taken(sender, bundle)


async def _sender(client_id: str, request: Request, app: Application, gate: Gate) -> Sender:
    """The client, by the secret agreed with him (compared in constant time), else by a token of ours."""
    referrer = app.site.referrers.get(client_id)
    secret = referrer.notification_secret if referrer else None
    said = request.headers.get("Authorization", "").encode()
    if secret and hmac.compare_digest(said, f"Bearer {secret}".encode()):
        return Sender(Access(client_id, parse("system/*.cud"), app.clock()), client_id)
    access = await gate(request)
    if access.client_id != client_id:
        raise refused(401, "login", "a token of this client, or the secret agreed with it, would be right")
    return Sender(access, client_id)
