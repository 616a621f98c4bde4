"""Every code the services speak stands in its code system, and every code that stands there is spoken."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from contracts.build import read
from services import declared
from services.auth import home, news, questions, tasks
from services.auth.assistance import entered as assisted
from services.auth.assistance import programmes
from services.auth.assistance import told as helped
from services.auth.assistance.eligibility import FEDERAL_PAYER
from services.auth.benefit import benefits, verified
from services.auth.decision import appeals, entered, granting, peer
from services.auth.wire import information
from services.intake import countersigning, folding
from services.intake.answers.referral import WANTED_FOR_VISITS
from services.intake.codes import SITES_OF_CARE
from services.intake.doors import placing
from services.intake.notices.asking import TEXTS as NOTICE_TEXTS
from services.intake.notices.language import languages
from services.nursing import agency, course
from services.nursing import appointments as home_visits
from services.nursing import rules as home_rules
from services.nursing.questions import SENTENCES as HOME_SENTENCES
from services.scheduling import outcomes, rules
from services.scheduling.questions import SENTENCES
from shared.answering import WAYS
from shared.catalogue import drugs
from shared.core import CANONICAL
from shared.home import COMPETENCIES
from shared.messaging import MAIL, TEXT
from shared.settings import ROOT, load_site
from shared.visits import appointments, authorization

SERVICES = declared(load_site(ROOT / "deploy/sites/demo.yaml", partners_url="http://partners", base_url="http://us"))
NOTICES = "services/intake/notices/*.py"
GAPS = yaml.safe_load((ROOT / "contracts/profiles/gaps.yaml").read_text(encoding="utf-8"))
ORDER = {"draft", "on-hold", "revoked", "completed", "entered-in-error", "unknown"}
"""Statuses of a ServiceRequest in which no visit is booked."""


@cache
def system(name: str) -> frozenset[str]:
    """The codes of one of our code systems."""
    return frozenset(read()["codeSystems"][f"{CANONICAL}CodeSystem/{name}"])


# What the services say


@cache
def _calls(path: str) -> tuple[ast.Call, ...]:
    """Every call in the files of the repository a pattern names."""
    trees = [ast.parse(p.read_text(encoding="utf-8")) for p in sorted(ROOT.glob(path))]
    return tuple(n for tree in trees for n in ast.walk(tree) if isinstance(n, ast.Call))


def passed(path: str, function: str, *, at: int = 0) -> set[str]:
    """The words passed to a function, at one place among its arguments, wherever these files call it."""
    return {
        text
        for call in _calls(path)
        if _name(call) == function and len(call.args) > at
        for text in _words(call.args[at])
    }


def _name(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def _words(argument: ast.expr) -> Iterator[str]:
    """The constants of an argument; of a conditional one both."""
    match argument:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp(body=body, orelse=orelse):
            yield from _words(body)
            yield from _words(orelse)


def concepts(path: str, name: str) -> set[str]:
    """The codes of a system that are written as a CodeableConcept where they are used."""
    said = [c for c in _calls(path) if _name(c) == "concept" and len(c.args) > 1 and _is(c.args[0], name)]
    return {text for call in said for text in _words(call.args[1])}


def _is(argument: ast.expr, name: str) -> bool:
    constant = name.upper().replace("-", "_")
    return (isinstance(argument, ast.Constant) and argument.value == name) or (
        isinstance(argument, ast.Name) and argument.id in (constant, f"{constant}_SYSTEM")
    )


def kinds(type_: str) -> set[str]:
    """The codes by which kinds of one type are told apart."""
    named = (kind.partition("#") for service in SERVICES for kind in service.profiles)
    return {code for kind, _, code in named if kind == type_ and code}


def question_codes() -> set[str]:
    intake = "services/intake/**/*.py"
    return {
        *questions.TEXTS,
        *NOTICE_TEXTS,
        *questions.ANSWERS,
        *SENTENCES,
        *HOME_SENTENCES,
        *passed("services/auth/**/*.py", "asking_about"),
        *passed("services/auth/**/*.py", "Question"),
        *passed(intake, "question", at=1),
        *passed(intake, "_asked", at=1),
        *passed(intake, "asked_about", at=1),
        *concepts("services/**/*.py", "question"),
        *passed("shared/refused.py", "_input"),
    }


def answer_codes() -> set[str]:
    said = {code for asked in (folding.ANSWERS, questions.ANSWERS) for codes in asked.values() for code in codes}
    said |= {entered.LETTER_DATE, *appeals.ANSWERS, peer.TALK_AT}
    return said | {granting.SPOKEN_WITH, granting.SPOKEN_AT}


def reason_codes() -> set[str]:
    waiting = set(tasks.TASK_STATUS) - authorization.GRANTED
    return {
        *passed("services/scheduling/rules.py", "unmet"),
        *passed("services/scheduling/rems.py", "unmet"),
        *passed("shared/visits/*.py", "unmet"),
        *passed("services/scheduling/*.py", "Unreadable"),
        *passed("shared/visits/*.py", "Unreadable"),
        *_out_of_force(),
        *outcomes.BLOCKING,
        *(f"authorization-{status}" for status in waiting | {"unknown"}),
        *(f"order-{status}" for status in ORDER),
    }


def _out_of_force() -> set[str]:
    return set(re.findall(r'"(coverage-[a-z-]+)"', _source("shared/visits/requirements.py")))


def gap_codes() -> set[str]:
    """Gaps written out; those that a payer's criteria name are data and stand in no code system."""
    told = "".join(_source(f"services/auth/criteria/{name}.py") for name in ("findings", "history", "kinds"))
    of_any = "lab|threshold|diagnosis|age|birth-date|prescriber-specialty"
    found = re.findall(rf'"((?:{of_any})-[a-z-]+)"', told)
    return {
        *passed("services/intake/**/*.py", "Gap"),
        *(f"{name}-{end}" for name in passed("services/intake/requirements/results.py", "result") for end in RESULTS),
        *WANTED_FOR_VISITS,
        *passed("services/auth/rules.py", "waiting", at=2),
        *_keys("services/auth/criteria/completeness.py", "DOSE_GAPS"),
        *found,
        information.INFORMATION,
        *_gaps(GAPS),
        *(demand.gap for demand in placing.DEMANDS.values()),
    }


RESULTS = ("missing", "unreadable", "undated", "out-of-date")


def _gaps(table: object) -> Iterator[str]:
    """Every value of a key `gap`, however deep."""
    match table:
        case dict():
            yield from (str(v) for k, v in table.items() if k == "gap")
            for value in table.values():
                yield from _gaps(value)
        case list():
            for value in table:
                yield from _gaps(value)


def _keys(path: str, name: str) -> set[str]:
    tree = ast.parse(_source(path))
    assigned = (n.value for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == name)
    return {text for d in assigned if isinstance(d, ast.Dict) for key in d.keys if key for text in _words(key)}


def _source(path: str) -> str:
    return Path(ROOT / path).read_text(encoding="utf-8")


def requirement_statuses() -> set[str]:
    return passed("shared/visits/requirements.py", "Finding") | {"overridden"}  # a person's, by the portal to come


AGENCY = "services/nursing/agency.py"

ASSISTANCE = "services/auth/assistance"

READINGS = "services/intake/pulls/provisional.py"

SPOKEN: dict[str, Callable[[], Iterable[str]]] = {
    "agency-visit-input": lambda: passed(AGENCY, "_input"),
    "agency-visit-output": lambda: concepts(AGENCY, "agency-visit-output"),
    "agency-visit-reason": lambda: passed(AGENCY, "_ended", at=2) | agency.OWN_REASONS,
    "answer-way": lambda: WAYS,
    "acquisition-channel": lambda: verified.CHANNELS,
    "answer": answer_codes,
    "appointment-kind": lambda: kinds("Appointment") | {"home-visit"},
    "assistance-criterion": lambda: (
        passed(f"{ASSISTANCE}/eligibility.py", "Verdict") | {FEDERAL_PAYER, *programmes.DOCUMENTS}
    ),
    "assistance-kind": lambda: programmes.KINDS,
    "benefit": lambda: home.WORDS,
    "benefit-finding": lambda: {verified.NOT_TOLD, *verified.WORDS, *benefits.COSTS.values()},
    "chair-reason": reason_codes,
    "chair-status": lambda: appointments.TASK_STATUS,
    "drug": lambda: (d.key for d in drugs()),
    "gap": gap_codes,
    "home-nursing-reason": lambda: home_visits.OWN_REASONS,
    "home-nursing-status": lambda: appointments.TASK_STATUS,
    "home-visit-kind": lambda: course.LEADING,
    "hold-answer": lambda: news.ANSWERS,
    "hub-enrolment-input": lambda: concepts(f"{ASSISTANCE}/told.py", "input"),
    "hub-enrolment-output": lambda: passed(f"{ASSISTANCE}/told.py", "_output") | {helped.AGAIN, *assisted.TAKEN},
    "hub-enrolment-status": lambda: helped.TASK_STATUS,
    "nurse-competency": lambda: COMPETENCIES,
    "notice-medium": lambda: (MAIL, TEXT),
    "notice-reason": lambda: concepts(NOTICES, "notice-reason") | passed(NOTICES, "_waiting", at=2),
    "order-mode": lambda: countersigning.SPOKEN,
    "patient-notice": lambda: languages()["en"].notices,
    "preauthorization-output": lambda: (
        passed("services/auth/**/*.py", "output")
        | concepts("services/auth/**/*.py", "output")
        | {f"benefit-{part}" for part in home.PARTS}
        | {verified.TOLD, *verified.FINDINGS}
    ),
    "preauthorization-status": lambda: tasks.TASK_STATUS,
    "pull-input": lambda: passed(READINGS, "_input") | concepts(READINGS, "pull-input"),
    "question": question_codes,
    "referral-output": lambda: passed("services/intake/answers/referral.py", "_output"),
    "requirement-deadline": lambda: (deadline for _, deadline, _ in rules.RULES),
    "requirement-status": requirement_statuses,
    "site-of-care": lambda: SITES_OF_CARE,
    "task-code": lambda: kinds("Task"),
    "therapy": lambda: (d.therapy for d in drugs()),
    "visit-requirement": lambda: {name for name, _, _ in (*rules.RULES, *home_rules.RULES)},
}
"""Code system -> every code of it that the services say."""


@pytest.mark.parametrize("name", sorted(SPOKEN))
def test_every_code_the_services_say_stands_in_its_code_system(name: str) -> None:
    assert set(SPOKEN[name]()) - system(name) == set()


@pytest.mark.parametrize("name", sorted(SPOKEN))
def test_every_code_of_a_code_system_is_said(name: str) -> None:
    assert system(name) - set(SPOKEN[name]()) == set()


def test_no_code_system_is_left_out_but_the_one_without_codes() -> None:
    names = {url.rpartition("/")[2] for url in read()["codeSystems"]}
    assert names - set(SPOKEN) == {"criterion"}
    assert system("criterion") == frozenset()


def test_every_system_the_sources_name_is_one_of_ours() -> None:
    named = re.compile(r'CANONICAL \+ "CodeSystem/([a-z-]+)"|concept\("([a-z-]+)", ')
    sources = [
        p.read_text(encoding="utf-8") for folder in ("services", "shared") for p in ROOT.glob(f"{folder}/**/*.py")
    ]
    found = {one or other for text in sources for one, other in named.findall(text)}
    assert {f"{CANONICAL}CodeSystem/{name}" for name in found} <= set(read()["codeSystems"])
