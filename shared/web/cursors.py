"""Where a next page begins: signed, bound to who asked and what was asked, and without any value of a resource.

Law of this file: a cursor names the last resource that was shown and the instant of the first page, nothing else; where
it stands is worked out again from what was known at that instant.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.smart.keys import SigningKey
from shared.web.requests import refused

_DIGEST = 32


@dataclass(frozen=True, slots=True)
class Position:
    """last: the id (in a history: the version) shown last; at: the instant of the first page, as stored."""

    last: str
    at: str


class Cursors:
    """Writes and reads the cursors of one deployment; every process that shares its secrets reads them."""

    def __init__(self, key: SigningKey) -> None:
        private = key.private.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self._key = HKDF(hashes.SHA256(), _DIGEST, salt=None, info=b"carepod cursors").derive(private)

    def written(self, client: str, asked: str, position: Position) -> str:
        """The cursor of a position in what a client asked."""
        said = json.dumps([position.last, position.at]).encode()
        return base64.urlsafe_b64encode(self._signature(client, asked, said) + said).rstrip(b"=").decode()

    def read(self, client: str, asked: str, cursor: str) -> Position:
        """The position of a cursor; 400 for one that was not given to this client for this search."""
        try:
            whole = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        except ValueError:
            raise _foreign() from None
        if not hmac.compare_digest(whole[:_DIGEST], self._signature(client, asked, whole[_DIGEST:])):
            raise _foreign()
        return Position(*json.loads(whole[_DIGEST:]))

    def _signature(self, client: str, asked: str, said: bytes) -> bytes:
        bound = json.dumps([client, asked]).encode() + b"\n" + said
        return hmac.new(self._key, bound, hashlib.sha256).digest()


def _foreign() -> Exception:
    right = "the address of the next page as its link gives it, to the client that got it, would be right"
    return refused(400, "invalid", right)
