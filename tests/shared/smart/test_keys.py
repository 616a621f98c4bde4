"""The deployment's keys: made once, whoever comes first, and never shown."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from shared.settings import SettingsError
from shared.smart.keys import client_key, public_jwks, signing_key

ROOT = Path(__file__).resolve().parents[3]
PEM = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)


def pem(key, encryption=None):
    return key.private_bytes(*PEM, encryption or serialization.NoEncryption())


def test_a_key_is_made_once_and_then_read(tmp_path):
    folder = tmp_path / "var" / "secrets"
    assert signing_key(folder).kid == signing_key(folder).kid
    assert client_key(folder).kid == client_key(folder).kid
    assert signing_key(folder).kid != client_key(folder).kid


def test_only_the_owner_reads_the_key(tmp_path):
    folder = tmp_path / "secrets"
    signing_key(folder)
    client_key(folder)
    assert sorted(file.name for file in folder.iterdir()) == ["client-key.pem", "signing-key.pem"]
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_threads_starting_at_once_get_the_same_key(tmp_path):
    with ThreadPoolExecutor(16) as pool:
        kids = set(pool.map(lambda _: signing_key(tmp_path).kid, range(64)))
    assert len(kids) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["signing-key.pem"]


@pytest.mark.slow
def test_processes_starting_at_once_get_the_same_key(tmp_path):
    code = "import pathlib, sys, shared.smart.keys as k; print(k.signing_key(pathlib.Path(sys.argv[1])).kid)"
    command = [sys.executable, "-c", code, str(tmp_path)]
    started = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    kids = {process.communicate(timeout=60)[0].strip() for process in started}
    assert kids == {signing_key(tmp_path).kid}


def test_a_key_made_meanwhile_by_another_process_is_the_one_taken(tmp_path, monkeypatch):
    theirs = ec.generate_private_key(ec.SECP384R1())
    monkeypatch.setattr(
        "shared.smart.keys._pem",
        lambda: (
            (tmp_path / "signing-key.pem").write_bytes(pem(theirs)) and pem(ec.generate_private_key(ec.SECP384R1()))
        ),
    )
    assert signing_key(tmp_path).public.public_numbers() == theirs.public_key().public_numbers()
    assert [file.name for file in tmp_path.iterdir()] == ["signing-key.pem"]


def test_the_private_part_is_never_shown(tmp_path):
    key = signing_key(tmp_path)
    secret = str(key.private.private_numbers().private_value)
    assert secret not in repr(key)
    assert "private" not in repr(key)
    (shown,) = public_jwks(key)["keys"]
    assert set(shown) == {"kty", "crv", "x", "y", "kid", "alg", "use", "key_ops"}


def test_the_published_key_verifies_what_the_key_signs(tmp_path):
    key = client_key(tmp_path)
    (shown,) = json.loads(json.dumps(public_jwks(key)))["keys"]
    token = jwt.encode({"sub": "carepod"}, key.private, "ES384")
    assert jwt.decode(token, jwt.PyJWK(shown), algorithms=["ES384"]) == {"sub": "carepod"}


def test_the_kid_is_the_thumbprint_of_rfc_7638(tmp_path):
    key = signing_key(tmp_path)
    (shown,) = public_jwks(key)["keys"]
    text = '{{"crv":"P-384","kty":"EC","x":"{x}","y":"{y}"}}'.format(**shown)
    assert key.kid == base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a key",
        pem(ec.generate_private_key(ec.SECP256R1())),
        pem(rsa.generate_private_key(65537, 2048)),
        pem(ec.generate_private_key(ec.SECP384R1()), serialization.BestAvailableEncryption(b"secret")),
    ],
    ids=["empty", "garbage", "P-256", "RSA", "encrypted"],
)
def test_a_file_that_is_no_such_key_is_named_and_left_alone(tmp_path, content):
    file = tmp_path / "signing-key.pem"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=r"signing-key\.pem: .*P-384"):
        signing_key(tmp_path)
    assert file.read_bytes() == content


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"signing-key\.pem"):
        signing_key(tmp_path / "file")
