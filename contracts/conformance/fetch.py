"""Fetches the published cases of the official FHIR validator, which are compared with and never copied here.

Source: FHIR/fhir-test-cases on Maven Central (Apache-2.0), one version, known by its SHA-256.
`python -m contracts.conformance.fetch` keeps them in var/conformance/; 0 when they are there, 2 when not.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import httpx

from shared.settings import ROOT

VERSION = "1.7.69"
SHA256 = "827a559099ae3297c3f96ab5749b419a24600d74b6a09e23620881a9c17df741"
NAME = f"fhir-test-cases-{VERSION}.jar"
URL = f"https://repo1.maven.org/maven2/org/hl7/fhir/testcases/fhir-test-cases/{VERSION}/{NAME}"
CASES = ROOT / "var" / "conformance" / NAME
NOT_THERE = 2


class MissingError(Exception):
    """The cases are not at hand: why, and how to get them."""


def main() -> int:
    """Fetch them unless they are there."""
    try:
        print(fetched())
    except MissingError as error:
        print(error, file=sys.stderr)
        return NOT_THERE
    return 0


def cases(path: Path = CASES) -> Path:
    """The jar that was fetched. Raises MissingError when it is not there or not the pinned one."""
    if not path.is_file():
        raise MissingError(f"{path} is not there: run `make conformance-files`, which fetches {URL}")
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        raise MissingError(f"{path} is not version {VERSION}: remove it and run `make conformance-files`")
    return path


def fetched(path: Path = CASES) -> Path:
    """The jar, downloaded first when it is not there; what has another digest is not kept. Raises MissingError."""
    if path.is_file():
        return cases(path)
    try:
        answer = httpx.get(URL, timeout=120, follow_redirects=True).raise_for_status()
    except httpx.HTTPError as error:
        raise MissingError(f"{URL} cannot be had: {type(error).__name__}") from error
    if hashlib.sha256(answer.content).hexdigest() != SHA256:
        raise MissingError(f"{URL} is not what was pinned")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    partial.write_bytes(answer.content)
    return partial.replace(path)


if __name__ == "__main__":
    sys.exit(main())
