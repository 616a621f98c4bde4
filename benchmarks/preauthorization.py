"""Prior authorization: checks a second by every iron policy on one core, the whole operation, and the way to the payer.

`python -m benchmarks.preauthorization [--quick] [--check] [--report FILE]`. A check judges one policy's rule on one
chart, whose resources are sorted anew each time; the chart is the demo's iron referral and a year of other results
beside it. The operation is `$preauthorization-check` without its socket: JSON read, checked against R4, judged,
written. Both in CPU time of this process, the best of many repeats, because other work on a machine only ever adds
time. The way to the payer is by the clock: complete referrals pushed to the deployed services on real engines, one a
second, until the payer has answered each request.
"""

from __future__ import annotations

import asyncio
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.table import Table

from benchmarks.engines import EnginesError, provided
from benchmarks.program import run
from benchmarks.referrals import NOT_PROVIDED, Target, machine
from benchmarks.submission import QUICK as QUICK_PUSHES
from benchmarks.submission import Pushes, submission
from services.auth.criteria.criteria import NOTHING, judged
from services.auth.criteria.findings import Chart
from services.auth.criteria.precheck import case_sent, precheck, received
from services.auth.policy import AuthPolicy, rule_of
from shared.catalogue import drug
from shared.core import Resource
from shared.fhir.json import decode, encode
from shared.fhir.profiles import r4
from shared.policy import Figure, load_figures
from shared.settings import ROOT, load_site
from shared.version import VERSION

AT = datetime(2026, 11, 21, 16, tzinfo=UTC)
REFERRAL = ROOT / "contracts" / "examples" / "referrals" / "iron-meets-criteria.json"
OTHER_RESULTS = 200
TARGETS = (
    Target("checks.per_second", at_least=2000),
    Target("checks.slowest_per_second", at_least=2000),
    Target("operation.milliseconds", at_most=50),
    Target("operation.large_milliseconds", at_most=50),
    Target("submission.p99_seconds", at_most=2),
)


@dataclass(frozen=True, slots=True)
class Extent:
    """How often a figure is taken, and how long each time in seconds."""

    repeats: int = 20
    seconds: float = 0.1


QUICK = Extent(repeats=3, seconds=0.03)


def policy() -> AuthPolicy:
    """Every figure, each draft adopted, in the demo's practice."""
    folder = ROOT / "services" / "auth" / "policies"
    names = [f"auth/{path.stem}" for path in folder.glob("*.yaml")]
    site = load_site(ROOT / "deploy" / "sites" / "demo.yaml", partners_url="http://x", base_url="http://x")
    return AuthPolicy(load_figures("auth", folder, names), site)


def iron_policies(known: AuthPolicy) -> list[Figure]:
    """Every payer's criteria for an intravenous iron in force."""
    found = known.figures.all("criteria", AT.date())
    return [f for f in found if f.value["covered"] and any(_is_iron(key) for key in f.applies_to["drugs"])]


def _is_iron(key: str) -> bool:
    found = drug(key)
    return found is not None and found.therapy == "iv-iron"


def referral(others: int = 0) -> Resource:
    """The demo's referral, with so many other results of the last year."""
    bundle = decode(REFERRAL.read_bytes())
    patient = bundle["entry"][0]["fullUrl"]
    more = [
        {"fullUrl": f"urn:uuid:{n:08d}-0000-4000-8000-000000000000", "resource": _result(n, patient)}
        for n in range(others)
    ]
    return {**bundle, "entry": [*bundle["entry"], *({**e, "request": POST} for e in more)]}


POST = {"method": "POST", "url": "Observation"}


def _result(number: int, patient: str) -> dict[str, Any]:
    taken = AT - timedelta(days=number % 365, hours=1)
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3"}]},
        "subject": {"reference": patient},
        "effectiveDateTime": taken.isoformat(),
        "valueQuantity": {"value": 4, "unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"},
    }


def checks(known: AuthPolicy, extent: Extent) -> dict[str, Any]:
    """Checks a second by each policy on a large chart, and by all in turn."""
    sent, _ = received(referral(OTHER_RESULTS))
    chart = case_sent(sent, known, AT).chart
    rates = {_named(f): 1 / _best(_check(f, chart), extent) for f in iron_policies(known)}
    return {
        "resources": len(chart.resources),
        "policies": rates,
        "per_second": len(rates) / sum(1 / rate for rate in rates.values()),
        "slowest_per_second": min(rates.values()),
    }


def _named(figure: Figure) -> str:
    groups = ",".join(figure.applies_to.get("icd10", ()))
    return f"{figure.policy}: {figure.applies_to['drugs'][0]}" + (f" ({groups})" if groups else "")


def _check(figure: Figure, chart: Chart) -> Callable[[], object]:
    rule = rule_of(figure) or NOTHING
    return lambda: judged(rule, replace(chart))


def operation(known: AuthPolicy, extent: Extent) -> dict[str, Any]:
    """Milliseconds of the operation on the demo's referral, and on the large one."""
    small, large = encode(referral()), encode(referral(OTHER_RESULTS))
    return {
        "bytes": len(small),
        "milliseconds": 1e3 * _best(lambda: _answered(small, known), extent),
        "large_bytes": len(large),
        "large_milliseconds": 1e3 * _best(lambda: _answered(large, known), extent),
    }


def _answered(body: bytes, known: AuthPolicy) -> bytes:
    bundle = decode(body)
    if wrong := [i for i in r4().check(bundle) if i.severity != "information"]:
        raise ValueError(f"{wrong[0].expression}: {wrong[0].diagnostics}")
    return encode(precheck(bundle, {}, known, AT))


def _best(call: Callable[[], object], extent: Extent) -> float:
    """CPU seconds of one call: the best of several runs of as many as fill the time."""
    call()
    count = max(1, round(extent.seconds / max(_timed(call, 3) / 3, 1e-7)))
    return min(_timed(call, count) / count for _ in range(extent.repeats))


def _timed(call: Callable[[], object], count: int) -> float:
    begun = time.process_time()
    for _ in range(count):
        call()
    return time.process_time() - begun


def measured(extent: Extent, submitted: dict[str, Any]) -> dict[str, Any]:
    """Every figure; `submitted` is what was measured on the way to the payer."""
    known = policy()
    report: dict[str, Any] = {
        "benchmark": "preauthorization",
        "machine": machine(),
        "versions": {"python": platform.python_version(), "carepod": VERSION},
        "checks": checks(known, extent),
        "operation": operation(known, extent),
        "submission": submitted,
    }
    report["targets"] = [_judged(report, target) for target in TARGETS]
    report["missed"] = [t["figure"] for t in report["targets"] if not t["met"]]
    return report


def _judged(report: dict[str, Any], target: Target) -> dict[str, Any]:
    part, _, figure = target.figure.partition(".")
    value = report[part][figure]
    return {"figure": target.figure, "wanted": target.words, "measured": value, "met": not target.missed(value)}


def table(report: dict[str, Any]) -> Table:
    """The report for people."""
    made = report["checks"]
    shown = Table(title=f"Criteria on one core, a chart of {made['resources']} resources")
    shown.add_column("policy")
    shown.add_column("checks a second", justify="right")
    for name, rate in made["policies"].items():
        shown.add_row(name, f"{rate:,.0f}")
    took = report["operation"]
    shown.caption = (
        f"all in turn {made['per_second']:,.0f} a second; $preauthorization-check "
        f"{took['milliseconds']:.1f} ms, with {OTHER_RESULTS} other results {took['large_milliseconds']:.1f} ms; "
        f"from a complete referral to the payer's answer: {_on_the_way(report['submission'])}"
    )
    return shown


def _on_the_way(took: dict[str, Any]) -> str:
    if took["p99_seconds"] is None:
        return f"{took['answered']} of {took['accepted']} were answered"
    return f"p50 {took['p50_seconds']:.2f} s, p99 {took['p99_seconds']:.2f} s"


def everything(quick: bool) -> dict[str, Any]:
    """What is measured by the clock first, then what is measured in CPU time. Raises EnginesError without engines."""
    with provided() as engines:
        submitted = asyncio.run(submission(engines, QUICK_PUSHES if quick else Pushes()))
    return measured(QUICK if quick else Extent(), submitted)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 measured; 1 with `--check` when a target is missed; 3 without engines."""
    try:
        return run("benchmarks.preauthorization", __doc__, arguments, everything, table)
    except EnginesError as error:
        print(f"engines: {error}", file=sys.stderr)
        return NOT_PROVIDED


if __name__ == "__main__":
    raise SystemExit(main())
