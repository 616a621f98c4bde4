"""Runs the HL7 validator, as HAPI FHIR carries it, on questions, with Java and pinned jars from Maven Central."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from shared.settings import ROOT

HERE = Path(__file__).parent
JARS = ROOT / "var" / "conformance" / "jars"
CENTRAL = "https://repo1.maven.org/maven2"
JAVA = 17
_SHOWN_TYPE = re.compile(r"/\*[^*]*\*/")


class Unreachable(Exception):
    """Java or Maven Central is missing: what, and what would be right."""


@dataclass(frozen=True, slots=True)
class Question:
    """A resource as its JSON text, the profiles asked for (beside those it claims), files of definitions known."""

    name: str
    resource: str
    profiles: tuple[str, ...] = ()
    definitions: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One issue: severity, FHIRPath expression, and the rule it stands on (an invariant's canonical, else a key)."""

    severity: str
    expression: str
    rule: str
    message: str

    @property
    def refuses(self) -> bool:
        return self.severity in ("error", "fatal")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the validator says of one question; its messages may quote values and are never recorded."""

    name: str
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.refuses)


def pinned() -> dict[str, str]:
    """Path below Maven Central -> sha256 of every jar of the run."""
    lines = (HERE / "jars.txt").read_text(encoding="utf-8").splitlines()
    return {path: digest for digest, path in (line.split() for line in lines)}


def judged(
    questions: Sequence[Question], said: Callable[[int], None] = lambda count: None
) -> tuple[str, list[Verdict]]:
    """(validator and version, one verdict for each question in order); `said` hears how many are done.

    Raises Unreachable.
    """
    java, jars = java_found(), fetched()
    command = [java, "-Xmx2g", "-cp", os.pathsep.join(map(str, jars)), str(HERE / "Validate.java")]
    with TemporaryDirectory(prefix="carepod-conformance-") as folder:
        asked, trouble = Path(folder, "asked"), Path(folder, "trouble")
        asked.write_text("".join(json.dumps(_asked(q)) + "\n" for q in questions), encoding="utf-8")
        with asked.open() as stdin, trouble.open("w") as stderr:
            run = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr, encoding="utf-8")  # noqa: S603
            with run:
                lines = iter(run.stdout or ())
                first = next(lines, "{}")
                verdicts = list(_heard(lines, said))
        if run.returncode or len(verdicts) != len(questions):
            raise Unreachable(f"{java} ended before the last verdict:\n{trouble.read_text()[-2000:].strip()}")
    return str(json.loads(first)["validator"]), verdicts


def _asked(question: Question) -> dict[str, Any]:
    return {
        "id": question.name,
        "resource": question.resource,
        "profiles": question.profiles,
        "definitions": [str(path) for path in question.definitions],
    }


def _heard(lines: Iterable[str], said: Callable[[int], None]) -> Iterator[Verdict]:
    for count, line in enumerate(lines, 1):
        answer = json.loads(line)
        yield Verdict(answer["id"], tuple(_finding(issue) for issue in answer["issues"]))
        said(count)


def _finding(issue: dict[str, Any]) -> Finding:
    expression = _SHOWN_TYPE.sub("", issue["expression"] or "")
    return Finding(issue["severity"], expression, issue["rule"] or "", issue["message"] or "")


def java_found() -> str:
    """Where Java is. Raises Unreachable when there is none, an old one, or one without its compiler."""
    java = shutil.which("java")
    if java is None:
        raise Unreachable(f"a JDK {JAVA} or newer runs the HL7 validator; none is on the PATH")
    number = re.search(r"\b(\d+)[.\d]*", _told(java, "--version"))
    if number is None or int(number[1]) < JAVA:
        raise Unreachable(f"a JDK {JAVA} or newer runs the HL7 validator; {java} is older")
    if "jdk.compiler" not in _told(java, "--list-modules"):
        raise Unreachable(f"a JDK {JAVA} or newer runs the HL7 validator; {java} is a runtime without the compiler")
    return java


def _told(java: str, about: str) -> str:
    return subprocess.run([java, about], capture_output=True, text=True, check=False).stdout  # noqa: S603


def fetched(folder: Path = JARS) -> list[Path]:
    """Every pinned jar, downloaded where it is not yet there, checked by its hash. Raises Unreachable."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = pinned()
    missing = {p: d for p, d in wanted.items() if not (folder / Path(p).name).exists()}
    if missing:
        with httpx.Client(base_url=CENTRAL, timeout=60, follow_redirects=True) as http, ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(_fetch, http, path, digest, folder) for path, digest in missing.items()]:
                done.result()
    return [folder / Path(path).name for path in wanted]


def _fetch(http: httpx.Client, path: str, digest: str, folder: Path) -> None:
    try:
        answer = http.get(f"/{path}")
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise Unreachable(f"{CENTRAL}/{path} cannot be fetched ({type(error).__name__})") from None
    if hashlib.sha256(answer.content).hexdigest() != digest:
        raise Unreachable(f"{CENTRAL}/{path} is not the pinned jar: its sha256 differs")
    target = folder / Path(path).name
    beside = target.with_suffix(".part")
    beside.write_bytes(answer.content)
    beside.rename(target)
