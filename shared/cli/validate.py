"""`carepod validate`: files against base R4, every issue with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from shared.cli.common import NOT_RIGHT, NOT_TRIED, errors, say
from shared.fhir.json import GateError, decode
from shared.fhir.outcomes import Issue
from shared.fhir.profiles import Validator

LIMIT = 50 * 1024 * 1024


def validate(files: Annotated[list[Path], typer.Argument(help="FHIR R4 resources as JSON files.")]) -> None:
    """Checks files against base FHIR R4. Exit 0 all valid, 1 one is not, 2 one cannot be read."""
    validator = Validator()
    unreadable = invalid = 0
    for path in track(files, description="checking", console=errors, disable=not errors.is_terminal, transient=True):
        try:
            issues = issues_of(validator, path.read_bytes())
        except OSError as error:
            unreadable += 1
            errors.print(f"{path}: {error.strerror}", markup=False, soft_wrap=True)
            continue
        invalid += bool(issues)
        say(f"{path}: {f'{len(issues)} wrong' if issues else 'valid'}")
        for issue in issues:
            say(f"{issue.expression or '(body)'}: {issue.code}: {issue.diagnostics}", 2)
    if unreadable or invalid:
        raise typer.Exit(NOT_TRIED if unreadable else NOT_RIGHT)


def issues_of(validator: Validator, body: bytes) -> list[Issue]:
    """Every issue of one body: the gate's, else base R4's."""
    try:
        return list(validator.check(decode(body, limit=LIMIT)))
    except GateError as error:
        return list(error.issues)
