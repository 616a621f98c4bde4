"""The deployment's own keys: made once in the secrets folder, the same for every process that shares it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shared.settings import SettingsError

ALGORITHM = "ES384"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A P-384 private key and its id, the RFC 7638 thumbprint of its public part."""

    kid: str
    private: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def public(self) -> ec.EllipticCurvePublicKey:
        return self.private.public_key()


def signing_key(secrets: Path) -> SigningKey:
    """The key that signs our access tokens, made on first use. Raises SettingsError where the file is no such key."""
    return key_file(secrets / "signing-key.pem")


def client_key(secrets: Path) -> SigningKey:
    """The key that proves us to partners (private_key_jwt), made on first use. Raises SettingsError as above."""
    return key_file(secrets / "client-key.pem")


def public_jwks(*keys: SigningKey) -> dict[str, list[dict[str, str | list[str]]]]:
    """The JWKS (RFC 7517) of the public parts."""
    uses: dict[str, str | list[str]] = {"alg": ALGORITHM, "use": "sig", "key_ops": ["verify"]}
    return {"keys": [{**_jwk(key.public), **uses, "kid": key.kid} for key in keys]}


def key_file(path: Path) -> SigningKey:
    """The key in this file, made where there is none. Raises SettingsError where it is no P-384 private key."""
    try:
        if not path.exists():
            _make(path)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}; a key file, or a writable folder, would be right") from None
    private = _read(path)
    return SigningKey(_thumbprint(private.public_key()), private)


def _read(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP384R1):
        raise SettingsError(f"{path}: a readable, unencrypted PEM file of a P-384 private key would be right")
    return key


def _make(path: Path) -> None:
    """Writes a new key beside `path` and links it there: whole or not at all, and the first of two processes wins."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(_pem())
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(name, path)
    finally:
        os.unlink(name)
    _settle(path.parent)


def _pem() -> bytes:
    return ec.generate_private_key(ec.SECP384R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _settle(folder: Path) -> None:
    """Makes the new name survive a power cut: partners know our client key, a second one would be a stranger."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _jwk(public: ec.EllipticCurvePublicKey) -> dict[str, str]:
    point = public.public_numbers()
    return {"crv": "P-384", "kty": "EC", "x": _base64url(point.x.to_bytes(48)), "y": _base64url(point.y.to_bytes(48))}


def _thumbprint(public: ec.EllipticCurvePublicKey) -> str:
    canonical = json.dumps(_jwk(public), separators=(",", ":"), sort_keys=True)
    return _base64url(hashlib.sha256(canonical.encode()).digest())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
