"""A figure is in force on its days, decides only where it is verified or adopted, and a wrong file is told at once."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
import yaml

from shared.policy import PolicyError, load_figures

ROW = {
    "id": "labs_valid_for_days",
    "value": 90,
    "unit": "day",
    "source": {"title": "a guideline", "year": 2026},
    "verified": "V",
    "effective_from": date(2026, 1, 1),
}


def folder(tmp_path: Path, *rows: dict[str, object], name: str = "labs") -> Path:
    (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(list(rows)))
    return tmp_path


@pytest.mark.parametrize(
    ("on", "found"),
    [
        (date(2025, 12, 31), False),
        (date(2026, 1, 1), True),
        (date(2026, 6, 30), True),
        (date(2026, 7, 1), False),
    ],
)
def test_a_figure_is_in_force_from_its_first_to_its_last_day(tmp_path: Path, on: date, found: bool) -> None:
    figures = load_figures("care", folder(tmp_path, ROW | {"effective_to": date(2026, 6, 30)}))
    assert bool(figures.all("labs_valid_for_days", on)) == found


@pytest.mark.parametrize("verified", ["V2", "K", "PD"])
def test_an_unverified_figure_decides_only_where_the_practice_adopted_it(tmp_path: Path, verified: str) -> None:
    where, on = folder(tmp_path, ROW | {"verified": verified}), date(2026, 3, 1)
    with pytest.raises(PolicyError, match="0 figures in force"):
        load_figures("care", where).value("labs_valid_for_days", on)
    assert load_figures("care", where, ["care/labs"]).value("labs_valid_for_days", on) == 90


def test_two_figures_in_force_are_one_too_many(tmp_path: Path) -> None:
    figures = load_figures("care", folder(tmp_path, ROW, ROW | {"value": 60}))
    with pytest.raises(PolicyError, match="2 figures in force"):
        figures.value("labs_valid_for_days", date(2026, 3, 1))


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (ROW | {"source": None}, "source with title and year"),
        (ROW | {"source": {"title": "x"}}, "source with title and year"),
        (ROW | {"verified": "yes"}, "verified must be one of"),
        (ROW | {"unit": ""}, "value and unit"),
        ({k: v for k, v in ROW.items() if k != "value"}, "value and unit"),
        (ROW | {"effective_from": "soon"}, "must be dates"),
        (ROW | {"efective_to": date(2026, 1, 2)}, "unknown keys"),
    ],
)
def test_a_wrong_figure_is_told_with_its_file_and_what_would_be_right(
    tmp_path: Path, row: dict[str, object], told: str
) -> None:
    with pytest.raises(PolicyError, match=told) as error:
        load_figures("care", folder(tmp_path, row))
    assert "care/labs" in str(error.value)


def test_an_adopted_draft_that_does_not_exist_is_told(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="care/labz: one of care/labs"):
        load_figures("care", folder(tmp_path, ROW), ["care/labz", "other/labz"])
