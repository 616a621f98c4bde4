"""Whether a client is who it says: its signed assertion, checked whole before it is marked as used.

SMART Backend Services 2.2 with RFC 7521 and 7523; any failure is `invalid_client`. Nothing is ever fetched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.smart.clients import ALGORITHMS, Client, ClientStore, is_client_id, public_key
from shared.smart.errors import InvalidClient
from shared.smart.jws import Jws, Malformed, is_date, is_signed, read

LONGEST_LIFE = timedelta(seconds=300)
"""How far ahead `exp` may lie; no tolerance, neither for this nor for an `exp` that has passed."""

SKEW = timedelta(seconds=30)
"""How far ahead of ours a client's clock may run: for `nbf` and `iat`."""

MARGIN = timedelta(seconds=60)
"""How long a used `jti` is kept after no process can take its assertion any more."""

LONGEST_JTI = 256

_KEY_TYPES = {algorithm: kty for kty, algorithm in ALGORITHMS.items()}
_OTHER_KEYS = ("jku", "jwk", "x5u", "x5c", "crit", "b64")

Rule = Callable[[Jws, str, datetime], str | None]


async def verified(assertion: str, token_url: str, clients: ClientStore, now: datetime) -> Client:
    """The client this assertion proves; it proves it once. Raises InvalidClient saying every reason."""
    try:
        jws = read(assertion)
    except Malformed as error:
        raise InvalidClient(f"client_assertion: {error}") from None
    wrong = [reason for rule in RULES if (reason := rule(jws, token_url, now))]
    if wrong:
        raise InvalidClient("; ".join(wrong))
    client = await clients.client(jws.claims["iss"])
    if client is None or client.disabled:
        raise InvalidClient("iss: no client of this id is registered and enabled here")
    if not is_signed(assertion, public_key(_key(jws, client)), jws.header["alg"]):
        raise InvalidClient("the signature does not fit the registered key of this kid")
    if not await clients.use_jti(client.id, _digest(jws.claims["jti"]), _kept_until(jws)):
        raise InvalidClient("jti: this assertion was already used; a new one for each request would be right")
    return client


def algorithm(jws: Jws, token_url: str, now: datetime) -> str | None:
    """Signed in one of the two ways SMART names."""
    return None if jws.header.get("alg") in ("RS384", "ES384") else "alg: RS384 or ES384 would be right"


def token_type(jws: Jws, token_url: str, now: datetime) -> str | None:
    """The header calls it a JWT, so that no other signed thing passes for an assertion."""
    return None if jws.header.get("typ") == "JWT" else "typ: JWT would be right"


def key_id(jws: Jws, token_url: str, now: datetime) -> str | None:
    """The header names the key."""
    return None if jws.header.get("kid") else "kid: the id of a registered key would be right"


def no_other_key(jws: Jws, token_url: str, now: datetime) -> str | None:
    """No key but a registered one proves a client, and no extension changes what is signed."""
    present = [name for name in _OTHER_KEYS if name in jws.header]
    return f"header {', '.join(present)}: not taken; kid alone names the key" if present else None


def subject(jws: Jws, token_url: str, now: datetime) -> str | None:
    """Issuer and subject are both the client's id, to the character."""
    issuer = jws.claims.get("iss")
    fits = is_client_id(issuer) and jws.claims.get("sub") == issuer
    return None if fits else "iss and sub: both the client id, exactly as registered, would be right"


def audience(jws: Jws, token_url: str, now: datetime) -> str | None:
    """Meant for this token endpoint and for nobody else."""
    return None if jws.claims.get("aud") in (token_url, [token_url]) else f"aud: {token_url} alone would be right"


def expiry(jws: Jws, token_url: str, now: datetime) -> str | None:
    """It ends, has not ended, and ends within five minutes."""
    expires = jws.claims.get("exp")
    if is_date(expires) and now.timestamp() < expires <= (now + LONGEST_LIFE).timestamp():
        return None
    return (
        f"exp: a NumericDate after this server's time, {int(now.timestamp())}, and at most"
        f" {LONGEST_LIFE.seconds} seconds after it would be right"
    )


def begun(jws: Jws, token_url: str, now: datetime) -> str | None:
    """Neither `nbf` nor `iat`, where present, lies in the future."""
    latest = (now + SKEW).timestamp()
    early = [name for name in ("nbf", "iat") if name in jws.claims and not _until(jws.claims[name], latest)]
    return f"{', '.join(early)}: a NumericDate that has passed would be right" if early else None


def identity(jws: Jws, token_url: str, now: datetime) -> str | None:
    """It has an identity by which a second use is seen."""
    jti = jws.claims.get("jti")
    fits = isinstance(jti, str) and 0 < len(jti) <= LONGEST_JTI
    return None if fits else f"jti: a text of 1 to {LONGEST_JTI} characters, never used before, would be right"


RULES: tuple[Rule, ...] = (algorithm, token_type, key_id, no_other_key, subject, audience, expiry, begun, identity)


def _until(value: Any, latest: float) -> bool:
    return is_date(value) and value <= latest


def _key(jws: Jws, client: Client) -> Any:
    """The one registered key of this id whose type fits the algorithm."""
    wanted = (jws.header["kid"], _KEY_TYPES[jws.header["alg"]])
    keys = [key for key in client.jwks["keys"] if (key["kid"], key["kty"]) == wanted]
    if len(keys) != 1:
        raise InvalidClient("kid: exactly one registered key with this kid, of the type alg needs, would be right")
    return keys[0]


def _digest(jti: str) -> str:
    # What a client sends may hold characters no database text takes; its digest does not.
    return hashlib.sha256(jti.encode("utf-8", "surrogatepass")).hexdigest()


def _kept_until(jws: Jws) -> datetime:
    return datetime.fromtimestamp(jws.claims["exp"], UTC) + SKEW + MARGIN
