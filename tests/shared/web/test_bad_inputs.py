"""Bad inputs over HTTP, by their number: each has one answer, an OperationOutcome that repeats no value.

The numbers are those of the table in `docs/bad-inputs.md`, where each row says which tests show it.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import httpx
import pytest

from shared.fhir.profiles import r4
from shared.web.requests import BODY_LIMIT
from shared.web.suspect import leads_inside
from tests.shared.web.stack import FHIR, Carepod, Client, observation, of, pushed, referral, renamed

PATIENT = "Patient/in-00000000-0000-5000-8000-000000000000"
CANARY = "Zyxwcanary"


def changed(kind: str, change: Callable[[dict[str, Any]], Any]) -> bytes:
    """The referral with one resource changed."""
    bundle = referral()
    change(of(bundle, kind))
    return json.dumps(bundle).encode()


def with_(kind: str, **elements: Any) -> bytes:
    return changed(kind, lambda resource: resource.update(elements))


def result(**elements: Any) -> bytes:
    """An Observation of a patient, with other elements."""
    return json.dumps({**json.loads(observation(PATIENT)), **elements}).encode()


def narrative(inner: str) -> dict[str, str]:
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{inner}</div>'}


def dosed(**quantity: Any) -> bytes:
    """The referral with another dose in its prescription."""
    unit = {"system": "http://unitsofmeasure.org", "code": "mg", "unit": "mg"}
    dose = [{"doseAndRate": [{"doseQuantity": {**unit, **quantity}}]}]
    return with_("MedicationRequest", dosageInstruction=dose)


def nested(levels: int) -> bytes:
    return b'{"resourceType":"Bundle","x":' + b"[" * levels + b"]" * levels + b"}"


def entries(number: int) -> bytes:
    entry = {"request": {"method": "GET", "url": "Task/x"}}
    return json.dumps({"resourceType": "Bundle", "type": "batch", "entry": [entry] * number}).encode()


def twice_named() -> bytes:
    bundle = referral()
    bundle["entry"].append(deepcopy(bundle["entry"][-1]))
    return json.dumps(bundle).encode()


def bundled(inner: dict[str, Any]) -> bytes:
    bundle = referral()
    request = {"method": "POST", "url": inner["resourceType"]}
    bundle["entry"].append({"fullUrl": "urn:uuid:11111111-1111-4111-8111-111111111111", "resource": inner,
                            "request": request})  # fmt: skip
    return json.dumps(bundle).encode()


INSIDE = ("http://169.254.169.254/latest/meta-data", "file:///etc/passwd", "gopher://x.example/1", "http://localhost/x",
          "http://10.1.2.3/x", "http://[::1]/x", "http://2130706433/x", "http://0x7f.1/x", "http://192.168.0.1./x",
          "http://[::ffff:169.254.169.254]/x", "http://user@127.0.0.1/x", "https://metadata.google.internal/x",
          "http:\\\\127.0.0.1/x", "HTTP://LOCALHOST:80/x", "http://017700000001/x", "http://127.1/x",
          "http://intranet/x", "ftp://ftp.example/x")  # fmt: skip

JSON = {"Content-Type": FHIR}

CASES: list[tuple[str, str, str, bytes, dict[str, str], int, str]] = [
    ("1 cut off", "POST", "", b'{"resourceType": "Bundle"', JSON, 400, "structure"),
    ("1 no JSON", "POST", "", b"hello", JSON, 400, "structure"),
    ("2 text", "POST", "", b"{}", {"Content-Type": "text/plain"}, 415, "not-supported"),
    ("2 a form", "POST", "/Observation", b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}, 415,
     "not-supported"),
    ("3 asks for XML", "GET", "/Task", b"", {"Accept": "application/fhir+xml"}, 406, "not-supported"),
    ("3 takes XML back", "POST", "", b"{}", {**JSON, "Accept": "application/fhir+xml"}, 406, "not-supported"),
    ("4 XML", "POST", "", b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
     {"Content-Type": "application/fhir+xml"}, 415, "not-supported"),
    ("4 XML called JSON", "POST", "", b"<!DOCTYPE a []><a/>", JSON, 400, "structure"),
    ("5 too long", "POST", "/Observation", b" " * (BODY_LIMIT + 1), JSON, 413, "too-long"),
    ("6 packed", "POST", "", gzip.compress(b" " * 10_000_000), {**JSON, "Content-Encoding": "gzip"}, 415,
     "not-supported"),
    ("7 too deep", "POST", "", nested(64), JSON, 400, "structure"),
    ("7 brackets", "POST", "", b"[" * 100_000, JSON, 400, "structure"),
    ("8 a name twice", "POST", "", b'{"resourceType":"Bundle","type":"batch","type":"batch"}', JSON, 400, "structure"),
    *((f"9 {name}", "POST", "", b'{"resourceType":"Bundle","total":' + text + b"}", JSON, 400, "value")
      for name, text in (("digits", b"9" * 5000), ("exponent", b"1e400"), ("NaN", b"NaN"), ("Infinity", b"Infinity"))),
    *((f"10 {name}", "POST", "", with_("Patient", name=[{"family": "TEXT"}]).replace(b"TEXT", text), JSON, 400, "value")
      for name, text in (("NUL", b"\\u0000"), ("half a pair", b"\\ud800"), ("control", b"\\u0007"))),
    *((f"11 {name}", "POST", "", changed("Patient", lambda p, t=text: p["identifier"][0].update(value=f"12{t}34")),
       JSON, 422, "value")
      for name, text in (("bidi", "\u202e"), ("zero width", "\u200b"), ("joiner", "\u2060"), ("isolate", "\u2066"),
                         ("byte order mark", "\ufeff"))),
    ("12 unknown element", "POST", "", with_("Patient", colour="x"), JSON, 400, "structure"),
    ("12 unknown type", "POST", "", with_("Patient", resourceType="Person2"), JSON, 400, "structure"),
    ("12 another type", "POST", "/Condition", observation(PATIENT), JSON, 400, "invalid"),
    ("13 banana", "POST", "", with_("ServiceRequest", status="banana"), JSON, 422, "code-invalid"),
    ("14 unknown modifier", "POST", "", with_("ServiceRequest", modifierExtension=[{"url": "a:b", "valueCode": "c"}]),
     JSON, 422, "extension"),
    ("15 two values", "POST", "/Observation", result(valueString="x"), JSON, 400, "structure"),
    ("16 no subject", "POST", "/Observation", json.dumps({k: v for k, v in json.loads(observation(PATIENT)).items()
     if k != "subject"}).encode(), JSON, 422, "required"),
    ("17 no such day", "POST", "", with_("Patient", birthDate="2024-02-30"), JSON, 400, "value"),
    ("17 no zone", "POST", "/Observation", result(effectiveDateTime="2026-01-01T10:00:00"), JSON, 400, "value"),
    ("19 negative dose", "POST", "", dosed(value=-5), JSON, 422, "business-rule"),
    ("19 a million grams", "POST", "", dosed(value=10**9), JSON, 422, "business-rule"),
    ("19 no unit of UCUM", "POST", "", dosed(value=5, code="milli gram"), JSON, 422, "code-invalid"),
    *((f"20 {name}", "POST", "", with_("Patient", text=narrative(text)), JSON, 422, "value")
      for name, text in (("script", "<script>x</script>"), ("handler", '<p onclick="x">y</p>'),
                         ("image", '<img src="http://x.example/y.png"/>'),
                         ("address", '<a href="javascript:x">y</a>'))),
    *((f"21 attachment {n}", "POST", "", bundled({"resourceType": "DocumentReference", "status": "current",
       "content": [{"attachment": {"url": url}}]}), JSON, 422, "value") for n, url in enumerate(INSIDE)),
    *((f"21 reference {n}", "POST", "", with_("ServiceRequest", requester={"reference": url}), JSON, 422, "value")
      for n, url in enumerate(u for u in INSIDE if u.startswith(("http://1", "http://l", "http://[")))),
    ("22 another's patient", "POST", "/Observation", observation(PATIENT), JSON, 422, "not-found"),
    ("23 contained in contained", "POST", "/Observation", result(contained=[{"resourceType": "Patient", "id": "a",
     "contained": [{"resourceType": "Patient", "id": "b"}]}]), JSON, 422, "invariant"),
    ("23 contained a thousand deep", "POST", "/Observation", b'{"resourceType":"Patient","contained":[' * 1000
     + b"]}" * 1000, JSON, 400, "structure"),
    ("24 too many entries", "POST", "", entries(10_000), JSON, 413, "too-costly"),
    ("24 a Bundle inside", "POST", "", bundled({"resourceType": "Bundle", "type": "collection"}), JSON, 422,
     "not-supported"),
    ("24 one fullUrl twice", "POST", "", twice_named(), JSON, 422, "invariant"),
    ("28 parts of an address", "PUT", "/Patient/..%2f..%2fetc", result(), JSON, 404, "not-found"),
    ("28 dots", "PUT", "/Observation/%2e%2e%2fx", result(), JSON, 404, "not-found"),
    ("28 a long id", "PUT", "/Observation/" + "x" * 65, result(), JSON, 400, "invalid"),
    ("28 odd letters", "PUT", "/Observation/a_b", result(), JSON, 400, "invalid"),
    ("31 unknown parameter", "GET", "/Patient?colour=x", b"", {"Prefer": "handling=strict"}, 400, "not-supported"),
    ("32 NUL", "GET", "/Patient?name=a%00", b"", {}, 400, "value"),
    ("32 ten kilobytes", "GET", "/Patient?name=" + "x" * 10_000, b"", {}, 400, "value"),
    ("35 below nothing", "GET", "/Patient?_count=-1", b"", {}, 400, "value"),
    ("36 a changed cursor", "GET", "/Patient?_cursor=AAAA", b"", {}, 400, "invalid"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "code"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
async def test_what_is_wrong_has_one_answer(
    client: Client, method: str, path: str, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    named = {k.replace("-", "_"): v for k, v in headers.items()}
    answer = await client.send(method, f"/fhir{path}", body or None, **named)
    assert (answer.status_code, {i["code"] for i in answer.json()["issue"]}) == (status, {code}), answer.text
    assert answer.headers["content-type"] == FHIR
    assert r4().check(answer.json()) == []


@pytest.mark.parametrize("quantity", [{"value": 0.5}, {"value": 0, "code": "[iU]"}, {"value": 999_999_999}])
async def test_19_a_dose_that_may_be_meant_is_taken(client: Client, quantity: dict[str, Any]) -> None:
    assert (await client.push(dosed(**quantity))).status_code == 200


async def test_18_a_dose_keeps_its_digits(client: Client) -> None:
    body = with_("MedicationRequest", dosageInstruction=[{"doseAndRate": [{"doseQuantity": {"value": "EXACT"}}]}])
    answer = await client.push(body.replace(b'"EXACT"', b"1.10"))
    place = next(e["response"]["location"] for e in answer.json()["entry"] if "/MedicationRequest/" in
                 e["response"]["location"])  # fmt: skip
    assert '"value":1.10' in (await client.get("/" + place.partition("/_history")[0].split("/", 3)[3])).text


@pytest.mark.parametrize("url", ["https://documents.example/1", "http://8.8.8.8/x", "urn:uuid:" + "1" * 8
                                 + "-1111-4111-8111-111111111111", "Binary/x"])  # fmt: skip
def test_21_what_leads_outside_or_nowhere_is_no_address_inside(url: str) -> None:
    assert not leads_inside(url)


async def test_21_the_system_a_configuration_names_may_stand_inside(carepod: Carepod, client: Client) -> None:
    base = next(p.base for p in carepod.app.site.partners.values() if p.base.startswith("http"))
    beside = base.rstrip("/") + ".evil.example/x"
    assert leads_inside(f"{base}/Practitioner/1")
    for url, status in ((f"{base}/Practitioner/1", 200), (beside.replace(".evil.example", "x"), 422)):
        answer = await client.push(with_("ServiceRequest", requester={"reference": url}))
        assert answer.status_code == status, answer.text


async def test_21_no_socket_is_opened_to_where_a_sender_points(
    carepod: Carepod, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    async def opened(*address: Any, **_: Any) -> Any:
        asked.append(address)
        raise OSError

    monkeypatch.setattr("anyio.connect_tcp", opened)
    monkeypatch.setattr("asyncio.open_connection", opened)
    url = "https://documents.example/scan.pdf"
    for body in (bundled({"resourceType": "DocumentReference", "status": "current",
                          "content": [{"attachment": {"url": url}}]}), *(
                     with_("Patient", photo=[{"url": inside}]) for inside in INSIDE)):  # fmt: skip
        await client.push(body)
    assert asked == []


async def test_22_another_clients_patient_and_nobody_have_one_answer(carepod: Carepod, client: Client) -> None:
    theirs = (await pushed(carepod.client("other-ehr")))["Patient"]
    answers = [await client.send("POST", "/fhir/Observation", observation(p)) for p in (theirs, PATIENT)]
    assert [a.status_code for a in answers] == [422, 422]
    assert answers[0].content == answers[1].content


async def test_23_contained_records_and_orders_that_lead_in_a_circle_end(client: Client) -> None:
    circle = [{"resourceType": "Organization", "id": i, "name": i, "partOf": {"reference": f"#{o}"}}
              for i, o in (("a", "b"), ("b", "a"))]  # fmt: skip
    answer = await client.push(with_("ServiceRequest", contained=circle, requester={"reference": "#a"}))
    assert answer.status_code == 200, answer.text
    place = (await pushed(client))["ServiceRequest"]
    looped = {"basedOn": [{"reference": place}], "replaces": [{"reference": place}]}
    assert (await client.push(with_("ServiceRequest", **looped))).status_code in (200, 422)
    assert (await client.get(f"/fhir/{place}")).status_code == 200


@pytest.mark.parametrize("value", ["' OR 1=1 --", "x'); drop table resource; --", "$1", "%", "_", ".*", "(a+)+$"])
async def test_32_what_looks_like_a_query_is_a_value_that_nobody_has(client: Client, value: str) -> None:
    await pushed(client)
    for name in ("name", "identifier", "_id"):
        answer = await client.http.get(
            "/fhir/Patient", params={name: value}, headers={"Authorization": f"Bearer {client.token}"}
        )
        assert (answer.status_code, answer.json().get("entry")) == (200, None)
    assert (await client.get("/fhir/Patient?_summary=count")).json()["total"] == 1


async def test_35_a_count_past_all_is_capped(client: Client) -> None:
    await pushed(client)
    assert (await client.get("/fhir/Patient?_count=1000000000")).status_code == 200


@pytest.mark.parametrize("status", ["draft", "requested", "received", "accepted", "in-progress"])
async def test_37_a_cancelled_referral_goes_nowhere(client: Client, status: str) -> None:
    place = (await pushed(client))["Task"]
    task = (await client.get(f"/fhir/{place}")).json()
    cancelled = await client.send("PUT", f"/fhir/{place}", task | {"status": "cancelled"})
    assert cancelled.status_code == 200, cancelled.text
    now = (await client.get(f"/fhir/{place}")).json()
    again = await client.send("PUT", f"/fhir/{place}", now | {"status": status})
    assert (again.status_code, again.json()["issue"][0]["code"]) == (422, "business-rule"), again.text
    assert (await client.get(f"/fhir/{place}")).json()["status"] == "cancelled"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_38_no_client_writes_a_visit(client: Client, method: str) -> None:
    visit = {"resourceType": "Appointment", "status": "booked", "start": "2027-01-02T10:00:00Z",
             "end": "2026-01-02T10:00:00Z", "participant": [{"status": "accepted"}]}  # fmt: skip
    path = "/fhir/Appointment" + ("" if method == "POST" else "/sc-00000000-0000-5000-8000-000000000000")
    answer = await client.send(method, path, visit)
    assert answer.status_code in (404, 405)
    assert answer.json()["issue"][0]["code"] in ("not-supported", "not-found")


async def test_39_the_coverage_of_another_patient_is_no_coverage_of_the_order(client: Client) -> None:
    other = (await pushed(client, renamed(referral(), "-other")))["Patient"]
    answer = await client.push(with_("Coverage", beneficiary={"reference": other}))
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (422, "business-rule")


async def test_40_ranges_and_forwarding_headers_change_nothing(client: Client) -> None:
    plain = await client.get("/fhir/metadata")
    ranges = "bytes=" + ",".join(f"{n}-{n + 1}" for n in range(0, 2000, 2))
    forged = {"X_Forwarded_Host": "evil.example", "X_Forwarded_Proto": "gopher", "Forwarded": "host=evil.example"}
    odd = await client.get("/fhir/metadata", Range=ranges, **forged)
    assert (odd.status_code, odd.content) == (200, plain.content)


async def test_no_answer_repeats_what_was_sent(client: Client) -> None:
    for name, method, path, body, headers, _, _ in CASES:
        marked = body.replace(b"banana", CANARY.encode()).replace(b"hello", CANARY.encode())
        named = {k.replace("-", "_"): v for k, v in headers.items()}
        if len(marked) < BODY_LIMIT:
            answer: httpx.Response = await client.send(method, f"/fhir{path}", marked or None, **named)
            assert CANARY not in answer.text, name
