from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shared.failpoints import POINTS, Failpoints

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import sys
from shared.failpoints import Failpoints
points = Failpoints(sys.argv[1])
for n in range(1, 4):
    points.reach("relay.before_mark")
    points.reach("loop.before_commit")
    print(n, flush=True)
"""


def lived(spec: str) -> tuple[int, list[str]]:
    """How the process ended, and what it had done until then."""
    ended = subprocess.run([sys.executable, "-c", SCRIPT, spec], cwd=ROOT, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout.split()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spec", "code", "done"),
    [
        ("", 0, ["1", "2", "3"]),
        ("loop.before_commit", -signal.SIGKILL, []),
        ("loop.before_commit:3", -signal.SIGKILL, ["1", "2"]),
        ("loop.before_commit:4", 0, ["1", "2", "3"]),
        ("delivery.before_send", 0, ["1", "2", "3"]),
    ],
)
def test_the_process_dies_when_the_point_is_reached_for_the_nth_time(spec: str, code: int, done: list[str]) -> None:
    assert lived(spec) == (code, done)


@pytest.mark.parametrize("spec", ["loop.before", "relay.before_mark:x"])
def test_an_unknown_point_or_count_is_refused(spec: str) -> None:
    with pytest.raises(ValueError):
        Failpoints(spec)


def test_no_point_is_set_where_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    monkeypatch.setattr("shared.failpoints.os.kill", lambda pid, _: killed.append(pid))
    for point in POINTS:
        Failpoints(None).reach(point)
    assert killed == []


POISON = """
import sys
from shared.failpoints import Failpoints, Poisoned
points = Failpoints(sys.argv[1])
for lane in ("patient/1", "patient/2"):
    try:
        points.decides(lane)
        print(lane, flush=True)
    except Poisoned:
        print("poisoned", flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spec", "code", "done"),
    [
        ("lane.kills:patient/2", -signal.SIGKILL, ["patient/1"]),
        ("lane.fails:patient/1", 0, ["poisoned", "patient/2"]),
        ("lane.kills:patient/3", 0, ["patient/1", "patient/2"]),
        ("loop.before_commit", 0, ["patient/1", "patient/2"]),
    ],
)
def test_messages_of_one_lane_are_a_poison_and_all_others_are_not(spec: str, code: int, done: list[str]) -> None:
    ended = subprocess.run([sys.executable, "-c", POISON, spec], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout.split()) == (code, done)
