"""Carries notices to people: by mail through the practice's SMTP server, by text through an HTTP gateway."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from email.message import EmailMessage

from services.intake.notices.hours import allowed_from
from services.intake.notices.people import contacts, may_read
from services.intake.notices.replies import notice_code
from services.intake.notices.sending import REFUSED, SENT, medium_of
from shared.core import Answer, Channel, Resource, TryLater
from shared.mail import MailRefused
from shared.messaging import MAIL, TEXT
from shared.policy import Figures
from shared.ports import Outside, Reader
from shared.posting import answered

DROPPED = "notice-dropped"
"""Answer for a notice nobody wants any more."""


def due(medium: str) -> Callable[[Resource | None, Resource], str | None]:
    """A notice is carried once by each medium it is given to."""

    def notice_active(before: Resource | None, after: Resource) -> str | None:
        if after["resourceType"] != "CommunicationRequest" or notice_code(after) is None:
            return None
        goes = after["status"] == "active" and medium_of(after) == medium
        went = before is not None and before["status"] == "active" and medium_of(before) == medium
        return "1" if goes and not went else None

    return notice_active


def notice_channels(figures: Figures) -> tuple[Channel, ...]:
    """The two channels. A repeated mail has the same Message-ID, a repeated text the same Idempotency-Key."""
    return (
        Channel("mail", due(MAIL), "idempotent", _within_hours(figures, deliver_mail)),
        Channel("text", due(TEXT), "idempotent", _within_hours(figures, deliver_text)),
    )


_Send = Callable[[Resource, str, Outside], Awaitable[Answer]]


def _within_hours(figures: Figures, send: _Send) -> Callable[[Resource, Reader, Outside], Awaitable[Answer]]:
    """Sends the notice as it now stands to the address now known, but in no quiet hour and to nobody who left.

    Who has no address for it any more, or no longer speaks for the patient, is refused it.
    """

    async def carried(notice: Resource, reader: Reader, outside: Outside) -> Answer:
        current = await reader.read(notice["id"]) or notice
        if current["status"] != "active" or medium_of(current) != medium_of(notice):
            return Answer(DROPPED)
        at = outside.now()
        opens = allowed_from(at, outside.site.sites[0].time_zone, figures)
        if opens > at:
            raise TryLater("quiet hours", (opens - at).total_seconds())
        person = await reader.read(current["recipient"][0]["reference"].partition("/")[2]) or {}
        if not may_read(person, notice_code(current) or "", at.date()):
            return Answer(REFUSED)
        address = next((a for m, a in contacts(person, at.date()) if m == medium_of(current)), None)
        return await send(current, address, outside) if address else Answer(REFUSED)

    return carried


async def deliver_mail(notice: Resource, address: str, outside: Outside) -> Answer:
    """Hands one mail to the practice's SMTP server. Raises TryLater or Doubtful; a refusal is the answer."""
    messaging = outside.site.messaging
    assert messaging is not None
    subject, _, text = notice["payload"][0]["contentString"].partition("\n\n")
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = messaging.sender, address, subject
    mail["Message-ID"] = f"<{notice['id']}@{messaging.sender.rpartition('@')[2]}>"
    mail.set_content(text)
    mail["Content-Language"] = notice.get("language", "en")
    try:
        await outside.mail(mail)
    except MailRefused:
        return Answer(REFUSED)
    return Answer(SENT)


async def deliver_text(notice: Resource, address: str, outside: Outside) -> Answer:
    """Posts one text to the gateway. Raises TryLater or Doubtful; a refusal is the answer."""
    messaging = outside.site.messaging
    assert messaging is not None
    gateway = outside.site.partners[messaging.gateway or ""]
    whose = {"subject": notice["subject"]["reference"], "sender": notice["recipient"][0]["reference"]}
    text = {"id": notice["id"], "to": address, "text": notice["payload"][0]["contentString"], "reply_as": whose}
    headers = {"Authorization": f"Bearer {gateway.api_key}", "Idempotency-Key": notice["id"]}
    request = outside.http.post(f"{gateway.base}/messages", json=text, headers=headers)
    answer = await answered(gateway.id, request, outside.now())
    return Answer(SENT if answer.is_success else REFUSED)
