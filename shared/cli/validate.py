"""`carepod validate`: files, NDJSON and folders against R4, the profiles they claim and those asked for."""

from __future__ import annotations

import os
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from shared.cli.common import NOT_RIGHT, NOT_TRIED, errors, failed, out, say
from shared.fhir import definitions, profiles
from shared.fhir.definitions import Definitions
from shared.fhir.json import GateError, decode, encode
from shared.fhir.outcomes import Issue, outcome

LIMIT = 50 * 1024 * 1024
"""Bytes of one resource; a line of NDJSON counts by itself."""

JSON, NDJSON = (".json",), (".ndjson", ".jsonl")
WRONG = ("error", "fatal")
_NO_PACKAGE = "an HL7 package (.tgz with snapshots) would be right"

Check = Callable[[dict[str, Any]], list[Issue]]


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found of one resource; `line` is 0 for a whole file, `read` is false where there is no resource."""

    file: str
    line: int
    issues: tuple[Issue, ...]
    read: bool = True

    @property
    def valid(self) -> bool:
        """Whether nothing stands against it; warnings do not."""
        return self.read and not any(issue.severity in WRONG for issue in self.issues)

    def json(self) -> str:
        """One line: {"file", "line"?, "outcome": OperationOutcome}."""
        where = {"file": self.file} | ({"line": self.line} if self.line else {})
        return encode(where | {"outcome": outcome(self.issues)}).decode()

    def lines(self) -> Iterator[str]:
        """`file[:line]: severity code expression rule profile: text` for each issue, without what does not apply."""
        where = f"{self.file}:{self.line}" if self.line else self.file
        for i in self.issues:
            said = " ".join(filter(None, (i.severity, i.code, i.expression, i.rule, i.profile)))
            yield _printable(f"{where}: {said}: {i.diagnostics}")


@dataclass(slots=True)
class Tally:
    """How many resources there were, and how many of them were no good."""

    valid: int = 0
    invalid: int = 0
    unreadable: int = 0

    def add(self, found: Checked) -> None:
        """Counts one."""
        self.valid += found.valid
        self.unreadable += not found.read
        self.invalid += found.read and not found.valid

    def __str__(self) -> str:
        said = [f"{self.valid} valid", f"{self.invalid} invalid", f"{self.unreadable} unreadable"]
        return ", ".join(said[: 3 if self.unreadable else 2])


def validate(
    files: Annotated[list[Path], typer.Argument(help="JSON, NDJSON (.ndjson, .jsonl), or folders of both.")],
    profile: Annotated[
        list[str] | None, typer.Option(help="Check against this profile too: canonical, with |version or without.")
    ] = None,
    package: Annotated[
        list[Path] | None, typer.Option(help="Know the definitions of this HL7 package (.tgz) as well.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Results as NDJSON, see above.")] = False,
) -> None:
    """Checks resources against FHIR R4, the profiles they claim in meta.profile, and those asked for.

    One line per issue, `FILE[:LINE]: SEVERITY CODE EXPRESSION RULE PROFILE: TEXT` (what does not apply is left out),
    and a count. With --json one line per resource: {"file": ..., "line": ... (NDJSON only), "outcome":
    OperationOutcome}, valid ones too. Warnings do not make a resource invalid. No value of a resource is shown.

    Exit 0 all valid, 1 one is not, 2 one cannot be read (no file, no JSON, no FHIR JSON in a folder) or a profile or
    package asked for is not known.
    """
    check = _check(package or (), tuple(profile or ()))
    tally = Tally()
    for found in _shown(files, check):
        tally.add(found)
        for line in [found.json()] if as_json else found.lines():
            _tell(line)
    if not as_json:
        say(str(tally))
    if tally.unreadable or tally.invalid:
        raise typer.Exit(NOT_TRIED if tally.unreadable else NOT_RIGHT)


def _check(packages: Sequence[Path], asked: tuple[str, ...]) -> Check:
    """The check of one resource. Ends the command where a package or a profile is not known."""
    known = definitions.carepod().with_hl7() if packages else definitions.carepod()
    for path in packages:
        known = _with(known, path)
    for url in asked:
        if known.profile(url) is None:
            raise failed(NOT_TRIED, f"--profile {url}: not known here; --package FILE.tgz makes a package's known")
    validator = profiles.Validator(known)
    return lambda resource: validator.check(resource, profiles=asked, claimed=True)


def _with(known: Definitions, package: Path) -> Definitions:
    """These and, over them, the definitions of a package. Ends the command where it holds none."""
    try:
        more = known.with_package(package.read_bytes())
    except OSError as error:
        raise failed(NOT_TRIED, f"{package}: {error.strerror or _NO_PACKAGE}") from None
    except (tarfile.TarError, zlib.error, EOFError, ValueError, KeyError, TypeError, AttributeError):
        raise failed(NOT_TRIED, f"{package}: {_NO_PACKAGE}") from None
    if sum(1 for _ in more.profiles()) == sum(1 for _ in known.profiles()):
        raise failed(NOT_TRIED, f"{package}: no profile in it; {_NO_PACKAGE}")
    return more


def _shown(paths: Iterable[Path], check: Check) -> Iterator[Checked]:
    """Everything found, with a bar over the bytes read on a terminal."""
    found = [file for path in paths for file in files_of(path)]
    columns = TextColumn("checking"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress:
        task = progress.add_task("", total=sum(map(_size, found)))
        for path in found:
            yield from checked(path, check, lambda read: progress.advance(task, read))


def files_of(path: Path) -> list[Path]:
    """The path itself; of a folder every JSON and NDJSON file below, in the order of names, nothing hidden."""
    if not path.is_dir():
        return [path]
    below = (file for file in path.rglob("*") if file.suffix.lower() in JSON + NDJSON and file.is_file())
    return sorted(f for f in below if not any(p.startswith(".") for p in f.relative_to(path).parts)) or [path]


def checked(path: Path, check: Check, read: Callable[[int], object] = lambda _: None) -> Iterator[Checked]:
    """What is found of each resource of a file, as it is read; `read` is told how many bytes were."""
    name = os.fsencode(path).decode("utf-8", "replace")
    empty = True
    try:
        with path.open("rb") as file:
            for line, body, size in _bodies(file, path.suffix.lower() in NDJSON):
                empty = False
                yield _found(name, line, body, check)
                read(size)
    except OSError as error:
        code = "not-found" if isinstance(error, FileNotFoundError) else "exception"
        said = "no JSON in this folder" if isinstance(error, IsADirectoryError) else f"{error.strerror}"
        yield _unreadable(name, 0, Issue(code, "", said, "fatal"))
    else:
        if empty:
            yield _unreadable(name, 0, Issue("structure", "", "empty; a resource is a JSON object", "fatal"))


def _bodies(file: BinaryIO, by_line: bool) -> Iterator[tuple[int, bytes, int]]:
    """(line or 0, body, bytes read) of each resource; a body over the limit is cut right behind it, for the gate."""
    if not by_line:
        body = file.read(LIMIT + 1)
        if body:
            yield 0, body, len(body)
        return
    number = 0
    while line := file.readline(LIMIT + 1):
        number += 1
        size = len(line)
        while not line.endswith(b"\n") and (rest := file.readline(LIMIT)):
            size += len(rest)
            line = line if not rest.endswith(b"\n") else line + b"\n"
        if line.strip():
            yield number, line.rstrip(b"\r\n"), size


def _found(name: str, line: int, body: bytes, check: Check) -> Checked:
    try:
        return Checked(name, line, tuple(check(decode(body, limit=LIMIT, parts=None))))
    except GateError as error:
        read = any(issue.expression for issue in error.issues)
        return Checked(name, line, error.issues, read)


def _tell(line: str) -> None:
    """One line of the result; on a terminal it goes above the bar, which only the bar's own console can."""
    shown = errors if errors.is_terminal and out.is_terminal else out
    shown.print(line, markup=False, soft_wrap=True)


def _unreadable(name: str, line: int, issue: Issue) -> Checked:
    return Checked(name, line, (issue,), read=False)


def _printable(line: str) -> str:
    """A line that stays one, and does nothing else to a terminal."""
    return "".join(c if c.isprintable() else "?" for c in line)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
