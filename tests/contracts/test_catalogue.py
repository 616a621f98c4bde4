"""The checked-in catalogue is what the services declare, and every message in it is said about something and heard."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from contracts.catalogue import __main__ as command
from contracts.catalogue import declarations, drawing, ladder, page, referrals
from services.auth.rules import RULES
from services.auth.tasks import TASK_STATUS
from shared import refused
from shared.core import Service
from shared.fhir import definitions
from shared.messages import headers_of

SERVICES = declarations.demo_services()
SAID = [said for service in SERVICES for said in declarations.said_by(service)]
PAGES = dict(command.pages(SERVICES))


def backwards(names: Mapping[str, Any]) -> dict[str, Any]:
    return dict(reversed(names.items()))


def test_the_checked_in_files_are_what_the_services_declare(capsys: pytest.CaptureFixture[str]) -> None:
    assert (command.main(["--check"]), capsys.readouterr().out) == (0, "")


def test_no_generated_file_is_left_that_nothing_declares_any_more() -> None:
    kept = {f"capability/{path.name}" for path in (command.FOLDER / "capability").iterdir()}
    assert kept == {name for name in PAGES if name.startswith("capability/")}


def test_a_file_that_differs_is_named_and_written_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "asyncapi.yaml").write_text("{}")
    assert command.main(["--check"], tmp_path) == 1
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == list(PAGES)
    assert command.main([], tmp_path) == 0
    assert command.main(["--check"], tmp_path) == 0


def test_the_order_in_which_a_service_declares_changes_nothing() -> None:
    turned = [
        replace(s, reasons=backwards(s.reasons), profiles=backwards(s.profiles), reads=backwards(s.reads))
        for s in SERVICES
    ]
    assert dict(command.pages(turned)) == PAGES


def test_every_reason_says_what_it_is_about_and_when() -> None:
    for said in SAID:
        assert said.focus, said.key
        assert set(said.focus) <= set(declarations.kinds_of(said.producer)), said.key
        assert re.fullmatch(r"[A-Z].{10,}[^.]\.", said.when), said.key


@pytest.mark.parametrize("sentence", ["", "A visit was said.", "Claim: of another service.", "any, other: thing."])
def test_a_sentence_that_does_not_name_what_its_service_saves_is_refused(sentence: str) -> None:
    scheduling = next(s for s in SERVICES if s.name == "scheduling")
    with pytest.raises(declarations.DeclarationError, match="scheduling: visit-said"):
        declarations.said_by(replace(scheduling, reasons={"visit-said": sentence}))


def test_what_the_run_loop_says_for_every_service_is_declared_by_each() -> None:
    for service in SERVICES:
        assert refused.REASONS.items() <= service.reasons.items()


def test_every_kind_a_service_reads_is_saved_by_another_in_that_version() -> None:
    for hearer in SERVICES:
        for kind, wanted in hearer.reads.items():
            saved = {s.profiles[kind] for s in SERVICES if s.name != hearer.name and kind in s.profiles}
            assert {name.partition(".")[0] for name in saved} == {wanted}, (hearer.name, kind)


def test_every_profile_a_service_declares_or_reads_is_known_and_of_that_type() -> None:
    known = definitions.carepod()
    for service in SERVICES:
        for kind, named in (*service.profiles.items(), *service.reads.items()):
            profile = known.profile(declarations.PROFILE + named)
            assert profile is not None, named
            assert profile.type == declarations.type_of(kind), named


def test_every_message_has_a_hearer_or_the_page_says_who_else() -> None:
    heard = {s.key: declarations.hearing(SERVICES, s) for s in SAID}
    alone = {key for key, hearing in heard.items() if not (hearing.focus or hearing.rest)}
    assert alone == {"intake.message-refused", "intake.message-taken"}
    for service in SERVICES:
        chapter = page.page(SERVICES).partition(f"\n## {service.name}\n")[2].partition("\n## ")[0]
        rows = {row.split("`")[1]: row for row in chapter.splitlines() if row.startswith("| `")}
        assert set(service.reasons) <= set(rows)
        assert all(row.rstrip("| ") for row in rows.values())
        for reason in service.reasons:
            assert (f"{service.name}.{reason}" in alone) == rows[reason].endswith("| itself |")


def test_no_two_services_begin_their_ids_alike() -> None:
    assert len({s.prefix for s in SERVICES}) == len(SERVICES)


def test_no_kind_but_the_question_about_a_message_is_saved_by_two() -> None:
    kinds = [kind for s in SERVICES for kind in s.profiles]
    assert {k for k in kinds if kinds.count(k) > 1} == {refused.KIND}


def test_names_keys_and_headers_are_made_of_declared_words_alone() -> None:
    word = r"[a-z]+(-[a-z]+)*"
    for said in SAID:
        assert re.fullmatch(rf"{word}\.{word}", said.key)
    for service in SERVICES:
        assert all(re.fullmatch(rf"[A-Z][A-Za-z]+(#{word})?", kind) for kind in declarations.kinds_of(service))
    assert set(headers_of("intake", "patient/in-1", 1, 1, {}, {}, {}, "")) == {
        "producer", "lane", "seq", "epoch", "causes", "previous", "heard", "traceparent",
    }  # fmt: skip


# The map


def drawn(services: tuple[Service, ...] = SERVICES) -> ElementTree.Element:
    return ElementTree.fromstring(drawing.drawing(services))


def test_the_map_names_every_service_every_kind_and_every_delivery_once() -> None:
    words = " ".join(" ".join(drawn().itertext()).replace(drawing.UNBROKEN, "#").split())
    for service in SERVICES:
        assert f" {service.name} says " in words
        for kind in declarations.kinds_of(service):
            assert re.search(rf"[ ,]{kind}(,| )", words), kind
        for channel in service.channels:
            by = [s.name for s in SERVICES if channel.name in {c.name for c in s.channels}]
            assert words.count(f"delivery: {channel.name}") == len(by)


def test_the_map_keeps_every_word_inside_and_needs_nothing_from_elsewhere() -> None:
    svg = drawn()
    width, height = (float(n) for n in svg.attrib["viewBox"].split()[2:])
    for text in svg.iter("{http://www.w3.org/2000/svg}text"):
        x, y, half = float(text.attrib["x"]), float(text.attrib["y"]), len(text.text or "") * drawing.LETTER / 2
        middle = text.attrib.get("text-anchor") == "middle"
        assert (x - half if middle else x) > 0, text.text
        assert (x + half if middle else x + 2 * half) < width, text.text
        assert 0 < y < height
    assert "href" not in drawing.drawing(SERVICES)
    assert "url(" not in drawing.drawing(SERVICES)


def test_the_map_has_a_place_for_one_service_more() -> None:
    more = replace(SERVICES[2], name="nursing", prefix="nu")
    places = [float(x.attrib["x"]) for x in drawn((*SERVICES, more)).iter() if x.attrib.get("width") == "120"]
    assert len(places) == 5
    assert min(b - a for a, b in pairwise(places)) > 120


def test_the_ladder_says_every_rule_in_its_order_with_the_statuses_it_may_give() -> None:
    svg = ElementTree.fromstring(ladder.drawing(RULES, TASK_STATUS))
    words = " ".join(" ".join(svg.itertext()).split())
    kinds = r"(?:" + "|".join(TASK_STATUS) + r")"
    for number, (rule, statuses) in enumerate(RULES.items(), 1):
        sentence = (rule.__doc__ or "").strip().splitlines()[0]
        said = re.search(rf" {number} {re.escape(sentence)}((?: {kinds})+)", words)
        assert said is not None, rule.__name__
        assert said[1].split() == list(statuses)


def test_the_ladder_keeps_every_word_inside() -> None:
    svg = ElementTree.fromstring(ladder.drawing(RULES, TASK_STATUS))
    width, height = (float(n) for n in svg.attrib["viewBox"].split()[2:])
    for box in svg.iter("{http://www.w3.org/2000/svg}rect"):
        assert float(box.attrib.get("x", 0)) + float(box.attrib["width"]) <= width
        assert float(box.attrib.get("y", 0)) + float(box.attrib["height"]) <= height


def test_a_rule_that_says_an_unknown_status_is_not_drawn() -> None:
    with pytest.raises(KeyError, match="perhaps"):
        ladder.drawing({test_a_rule_that_says_an_unknown_status_is_not_drawn: ("perhaps",)}, TASK_STATUS)


def test_the_page_for_referrers_names_every_demand_and_its_gap() -> None:
    demands = yaml.safe_load(referrals.GAPS.read_text(encoding="utf-8"))
    chapters = {part.partition("\n")[0]: part for part in PAGES["referrals.md"].split("\n## ")[1:]}
    assert len(chapters) == len(demands)
    for name, keys in demands.items():
        (chapter,) = [c for c in chapters.values() if f"StructureDefinition/{name}`" in c]
        rows = [line for line in chapter.splitlines() if line.startswith("| `")]
        assert [r.split("`")[1] for r in rows] == list(keys)
        assert [r.split("`")[3] for r in rows] == [gap["gap"] for gap in keys.values()]
