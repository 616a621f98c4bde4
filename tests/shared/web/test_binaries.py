"""Documents as they are: sent and asked for in their own media type, up to 25 MiB."""

from __future__ import annotations

import base64

import pytest

from shared.web import binaries
from tests.shared.web.stack import Carepod, Client, pushed

pytestmark = pytest.mark.slow

PDF = b"%PDF-1.7\n\x00\xff\xfe fax of an order\n%%EOF"


async def test_a_document_sent_as_it_is_comes_back_as_it_was(client: Client) -> None:
    patient = (await pushed(client))["Patient"]
    sent = await client.send("POST", "/fhir/Binary", PDF, Content_Type="application/pdf", X_Security_Context=patient)
    assert sent.status_code == 201, sent.text
    place = f"/fhir/Binary/{sent.json()['id']}"
    raw = await client.get(place, Accept="application/pdf")
    assert (raw.status_code, raw.content, raw.headers["content-type"]) == (200, PDF, "application/pdf")
    assert raw.headers["x-content-type-options"] == "nosniff"
    assert raw.headers["content-disposition"] == "attachment"
    assert raw.headers["etag"] == sent.headers["etag"]
    resource = (await client.get(place)).json()
    assert resource["contentType"] == "application/pdf"
    assert base64.b64decode(resource["data"]) == PDF
    assert resource["securityContext"]["reference"] == patient
    again = await client.send("POST", "/fhir/Binary", PDF, Content_Type="application/pdf", X_Security_Context=patient)
    assert (again.status_code, again.json()["id"]) == (200, resource["id"])


async def test_a_document_is_seen_by_who_sees_its_patient(client: Client, carepod: Carepod) -> None:
    patient = (await pushed(client))["Patient"]
    other = carepod.client("other-ehr")
    sent = await client.send("POST", "/fhir/Binary", PDF, Content_Type="application/pdf", X_Security_Context=patient)
    place = f"/fhir/Binary/{sent.json()['id']}"
    for accept in ("application/pdf", "application/fhir+json"):
        assert (await other.get(place, Accept=accept)).status_code == 404
    theirs = await other.send("POST", "/fhir/Binary", PDF, Content_Type="application/pdf", X_Security_Context=patient)
    assert theirs.status_code == 422 or theirs.json()["id"] not in place
    assert (await client.get(place)).headers["etag"] == 'W/"1-1"'
    assert (await carepod.client(scopes="system/Patient.r").get(place, Accept="application/pdf")).status_code == 403


@pytest.mark.parametrize("over", [0, 1])
async def test_a_document_has_at_most_25_mebibytes_however_it_is_sent(
    client: Client, monkeypatch: pytest.MonkeyPatch, over: int
) -> None:
    patient = (await pushed(client))["Patient"]
    content = b"x" * (binaries.MOST + over)
    raw = await client.send("POST", "/fhir/Binary", content, Content_Type="application/pdf", X_Security_Context=patient)
    assert raw.status_code == (413 if over else 201)
    sent = {"contentType": "application/pdf", "data": base64.b64encode(content).decode()}
    resource = {"resourceType": "Binary", **sent, "securityContext": {"reference": patient}}
    assert (await client.send("POST", "/fhir/Binary", resource)).status_code == (413 if over else 200)
    document = {
        "resourceType": "DocumentReference", "status": "current", "subject": {"reference": patient},
        "content": [{"attachment": sent}],
    }  # fmt: skip
    assert (await client.send("POST", "/fhir/DocumentReference", document)).status_code == (413 if over else 201)


async def test_other_bodies_have_at_most_5_mebibytes(client: Client) -> None:
    patient = (await pushed(client))["Patient"]
    note = {"resourceType": "Observation", "subject": {"reference": patient}, "note": [{"text": "x" * 6_000_000}]}
    assert (await client.send("POST", "/fhir/Observation", note)).status_code == 413


async def test_a_document_without_a_media_type_is_refused(client: Client) -> None:
    assert (await client.send("POST", "/fhir/Binary", PDF, Content_Type="pdf")).status_code == 415
