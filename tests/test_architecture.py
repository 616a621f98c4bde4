"""The shape of the project: what every service folder has, what the core may not do, what no test may be."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

from services import declared
from shared.core import Decision, Event, Service
from shared.policy import load_figures
from shared.settings import load_site
from tests import architecture
from tests.architecture import PACKAGES, ROOT

SERVICES = ROOT / "services"


def demo_services() -> tuple[Service, ...]:
    address = "http://127.0.0.1:8000"
    return declared(load_site(ROOT / "deploy" / "sites" / "demo.yaml", partners_url=address, base_url=address))


def parsed(*folders: str) -> dict[str, ast.Module]:
    """Path below the checkout -> syntax tree."""
    paths = architecture.python_files(*folders)
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def bare_service() -> Service:
    async def gather(event: Event, reader: object, lanes: frozenset[str]) -> None: ...

    def coordinate(event: Event, facts: object, policy: object) -> Decision:
        return Decision("nothing-to-do")

    return Service("intake", "in", frozenset({"Task"}), frozenset(), frozenset(), coordinate, gather)


def test_every_folder_that_declares_a_service_is_composed() -> None:
    folders = {path.parent.name for path in SERVICES.glob("*/service.py")}
    assert {service.name for service in demo_services()} == folders


def test_every_service_folder_has_the_files_of_a_service() -> None:
    services = demo_services()
    assert services
    assert [o for s in services for o in architecture.unlike_a_service(SERVICES / s.name, s)] == []


def test_no_two_services_share_an_id_prefix() -> None:
    prefixes = [service.prefix for service in demo_services()]
    assert len(set(prefixes)) == len(prefixes)
    assert all(len(prefix) == 2 for prefix in prefixes)


def test_the_core_of_every_service_is_pure() -> None:
    cores = [path for name in architecture.CORE for path in SERVICES.glob(f"*/{name}")]
    assert cores
    assert [f"{p.relative_to(ROOT)}: {o}" for p in cores for o in architecture.impurities(p.read_text())] == []


@pytest.mark.parametrize(
    ("line", "offence"),
    [
        ("at = datetime.now(UTC)", "calls now()"),
        ("on = date.today()", "calls today()"),
        ("key = uuid4()", "calls uuid4()"),
        ("import random", "imports random"),
        ("from os import environ", "imports os"),
        ("import asyncio.subprocess", "imports asyncio"),
        ("text = open('figures.yaml')", "calls open()"),
        ("async def coordinate(): ...", "asynchronous"),
    ],
)
def test_an_impurity_in_a_core_is_found(line: str, offence: str) -> None:
    assert architecture.impurities(f"'''Decides.'''\n{line}") == [f"line 2: {offence}"]


def test_a_core_that_decides_from_its_facts_is_pure() -> None:
    assert architecture.impurities("from datetime import timedelta\ndue = event.at + timedelta(days=2)") == []


def test_every_figure_of_every_policy_has_a_source() -> None:
    folders = [path for package in PACKAGES for path in sorted((ROOT / package).glob("**/policies"))]
    loaded = [load_figures(folder.parent.name, folder) for folder in folders if list(folder.glob("*.yaml"))]
    assert [figure.id for figures in loaded for figure in figures.figures if not figure.source] == []
    assert sum(len(figures.figures) for figures in loaded) > 0


def test_a_charter_must_name_each_type_the_service_owns() -> None:
    charter = "Intake.\n\nOwns Patient.\nListens to Task.\nDecides who is told."
    assert architecture.unlike_a_charter("intake", charter, {"Patient"}) == []
    assert architecture.unlike_a_charter("intake", charter, {"Patient", "Task"}) == [
        "intake: the charter does not name Task among what it owns"
    ]
    assert architecture.unlike_a_charter("intake", "Owns Patient.", ()) == [
        "intake: the charter does not say 'Listens to '",
        "intake: the charter does not say 'Decides '",
    ]


def test_a_service_folder_without_its_files_is_found(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").write_text('"""Owns Task. Listens to nobody. Decides all."""', encoding="utf-8")
    offences = architecture.unlike_a_service(tmp_path, bare_service())
    assert [offence.partition(": ")[2] for offence in offences] == [
        *(f"{name} is missing" for name in architecture.FILES[1:]),
        "policies/ holds no figures",
    ]


def test_no_file_is_too_large_to_read() -> None:
    assert [offence for path in architecture.project_files() for offence in architecture.too_large(path)] == []


def test_a_file_is_too_large_from_one_line_over_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "rules.py"
    path.write_text("x = 1\n" * architecture.LINES, encoding="utf-8")
    assert architecture.too_large(path) == []
    path.write_text("x = 1\n" * (architecture.LINES + 1), encoding="utf-8")
    assert len(architecture.too_large(path)) == 1


def test_every_module_opens_with_a_sentence() -> None:
    assert [o for p in architecture.python_files(*PACKAGES) for o in architecture.without_opening_sentence(p)] == []


def test_a_module_without_a_sentence_is_found(tmp_path: Path) -> None:
    path = tmp_path / "rules.py"
    path.write_text('"""Rules"""\n', encoding="utf-8")
    assert len(architecture.without_opening_sentence(path)) == 1


def test_every_test_asserts_something() -> None:
    assert architecture.assertionless(parsed("tests")) == []


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("    assert 1", []),
        ("    with pytest.raises(ValueError): int('x')", []),
        ("    settled(1)", []),
        ("    print(1)", ["t.py: test_it"]),
        ("    quiet(1)", ["t.py: test_it"]),
    ],
)
def test_a_test_that_asserts_nothing_is_found(body: str, found: list[str]) -> None:
    helpers = "def holds(x):\n    assert x\ndef settled(x):\n    holds(x)\ndef quiet(x):\n    print(x)\n"
    assert architecture.assertionless({"t.py": ast.parse(f"{helpers}def test_it():\n{body}")}) == found


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    assert [f"{name}: {o}" for name, tree in parsed("tests").items() for o in architecture.skipping(tree)] == []


def test_a_skip_is_found() -> None:
    source = "import pytest\n@pytest.mark.skipif(True, reason='')\ndef test_it():\n    pytest.skip('later')"
    assert architecture.skipping(ast.parse(source)) == ["line 2: pytest skipif", "line 4: pytest skip"]


def test_every_decision_record_is_numbered_named_and_indexed() -> None:
    folder = ROOT / "docs" / "decisions"
    records = [path.name for path in folder.iterdir() if path.name != "README.md"]
    assert architecture.misnamed_records(records, (folder / "README.md").read_text(encoding="utf-8")) == []
    assert len(records) >= 2


def test_a_misnamed_record_is_found() -> None:
    index = "[One](0001-one.md) [Two](0001-two.md) [Notes](notes.md)"
    assert architecture.misnamed_records(["0001-one.md", "0001-two.md", "notes.md", "0002-lost.md"], index) == [
        "notes.md: NNNN-title.md would be right",
        "0001-one.md: its number is taken",
        "0001-two.md: its number is taken",
        "0002-lost.md: not in docs/decisions/README.md",
    ]


def test_the_lock_pins_every_dependency_by_hash_and_names_no_address() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *project["optional-dependencies"]["test"],
        *project["optional-dependencies"]["build"],
    ]
    assert architecture.unlocked(wanted, (ROOT / "requirements.lock").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("requirement", "lock", "found"),
    [
        ("httpx>=0.28", "httpx==0.28.1 \\\n    --hash=sha256:00\n", []),
        ("httpx>=0.29", "httpx==0.28.1 \\\n    --hash=sha256:00\n", ["httpx>=0.29: run `make lock`"]),
        ("httpx", "httpx==0.28.1\n", ["httpx==0.28.1: has no hash"]),
        ("httpx", "--index-url https://example.org\n", ["--index-url https://example.org: names an address"]),
    ],
)
def test_a_lock_that_does_not_hold_is_found(requirement: str, lock: str, found: list[str]) -> None:
    assert architecture.unlocked([requirement], lock)[-1:] == found
