"""Hands a mail to the practice's SMTP server, and says what its answer means."""

from __future__ import annotations

from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import aiosmtplib

from shared.core import Doubtful, TryLater

SECONDS = 15.0


class MailRefused(Exception):
    """The mail server will never take this mail for this address."""


async def sent(server: str, mail: EmailMessage) -> None:
    """Hands one mail to the server. Raises TryLater where it has certainly not taken it, Doubtful where nobody knows,
    MailRefused where it never will (RFC 5321: a reply of 5xx).
    """
    address = urlsplit(server)
    try:
        await aiosmtplib.send(
            mail,
            hostname=address.hostname,
            port=address.port,
            username=unquote(address.username) if address.username else None,
            password=unquote(address.password) if address.password else None,
            use_tls=address.scheme == "smtps",
            timeout=SECONDS,
        )
    except (aiosmtplib.SMTPConnectError, aiosmtplib.SMTPAuthenticationError, aiosmtplib.SMTPHeloError) as error:
        raise TryLater(f"the mail server cannot be reached: {type(error).__name__}") from None
    except aiosmtplib.SMTPRecipientsRefused as refused:
        raise _said(max(r.code for r in refused.recipients)) from None
    except aiosmtplib.SMTPResponseException as answer:
        raise _said(answer.code) from None
    except (aiosmtplib.SMTPException, OSError) as error:
        raise Doubtful(f"the mail server did not answer: {type(error).__name__}") from None


def _said(code: int) -> Exception:
    return MailRefused(f"SMTP {code}") if code >= 500 else TryLater(f"SMTP {code}")
