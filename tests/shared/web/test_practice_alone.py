"""What is for the practice alone: no client reads what is asked of its people, nor which records are one person's."""

from __future__ import annotations

from typing import Any

import pytest

from services.intake.questions import PRACTICE_ONLY
from tests.shared.web.stack import Carepod, Client, of, pushed, referral, renamed


async def asked(client: Client) -> set[str]:
    """The codes of the questions of intake a client reads."""
    found = (await client.get("/fhir/Task?code=intake-question")).json().get("entry", [])
    return {c["code"] for e in found for i in e["resource"]["input"] for c in i["type"]["coding"]}


async def test_what_is_asked_of_the_practice_alone_is_read_by_no_referrer(client: Client, carepod: Carepod) -> None:
    child = referral()
    of(child, "Patient")["birthDate"] = "2015-01-01"
    await pushed(client, child)
    assert "nobody-to-tell" in await asked(carepod.client("office"))
    assert "order-verification" in await asked(client)
    assert not await asked(client) & PRACTICE_ONLY


@pytest.fixture
def other(carepod: Carepod) -> Client:
    return carepod.client("other-ehr")


@pytest.fixture
def office(carepod: Carepod) -> Client:
    return carepod.client("office")


async def tasks(client: Client, query: str) -> list[dict[str, Any]]:
    return [e["resource"] for e in (await client.get(f"/fhir/Task?{query}")).json().get("entry", [])]


async def completed(client: Client, task: dict[str, Any], answer: str) -> Any:
    """The answer to a person's answer to a question."""
    coded = {"coding": [{"system": "https://carepod.example/fhir/CodeSystem/answer", "code": answer}]}
    output = [{"type": coded, "valueBoolean": True}]
    return await client.send("PUT", f"/fhir/Task/{task['id']}", {**task, "status": "completed", "output": output})


async def confirmed(office: Client) -> None:
    """A person confirms that two records are one person's."""
    found = await tasks(office, "code=intake-question")
    answer = await completed(office, next(t for t in found if "possible-duplicate" in str(t)), "confirmed")
    assert answer.status_code == 200, answer.text


async def called_by(client: Client, bundle: dict[str, Any], phone: str) -> None:
    """The same referral again, its patient with another number: worked out anew."""
    of(bundle, "Patient")["telecom"] = [{"system": "phone", "value": phone}]
    assert (await client.push(bundle)).status_code == 200


async def one_person(client: Client, other: Client, office: Client) -> tuple[str, str]:
    """`Patient/id` of two clients' records of one person, once each referral was worked out with the other."""
    mine, bundle = (await pushed(client))["Patient"], renamed(referral(), "-other")
    theirs = (await pushed(other, bundle))["Patient"]
    await confirmed(office)
    await called_by(other, bundle, "402-555-0000")
    await called_by(client, referral(), "402-555-0000")
    return mine, theirs


async def said(client: Client, own: str) -> str:
    """Everything a client is told of its patient and of his Tasks, now and before, and when it writes."""
    patient = await client.get(f"/fhir/{own}")
    answers = [patient, await client.get(f"/fhir/{own}/_history"), await client.get(f"/fhir/Task?patient={own}")]
    answers += [await client.get(f"/fhir/{own}/_history/{e['resource']['meta']['versionId']}")
                for e in answers[1].json()["entry"]]  # fmt: skip
    answers += [await client.get(f"/fhir/Task/{e['resource']['id']}/_history") for e in answers[2].json()["entry"]]
    prefer, put = "return=representation", {"request": {"method": "PUT", "url": own}}
    gone = {k: v for k, v in patient.json().items() if k != "telecom"}
    answers.append(await client.send("PUT", f"/fhir/{own}", gone, Prefer=prefer))
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [{"resource": patient.json()} | put]}
    answers.append(await client.push(bundle, Prefer=prefer))
    assert {a.status_code for a in answers} == {200}, [a.text for a in answers if a.status_code != 200]
    return "".join(a.text for a in answers)


async def test_no_client_is_told_of_the_record_another_client_has_of_the_same_person(
    client: Client, other: Client, office: Client
) -> None:
    mine, theirs = await one_person(client, other, office)
    for reader, own, strange in ((client, mine, theirs), (other, theirs, mine)):
        assert strange not in await said(reader, own)
    assert mine in await said(office, theirs)
    assert theirs in str(await tasks(office, f"code=referral&patient={mine}"))


async def test_no_search_tells_whether_a_record_is_the_same_persons_as_another(
    client: Client, other: Client, office: Client
) -> None:
    mine, theirs = await one_person(client, other, office)
    for reader, own, strange in ((client, mine, theirs), (other, theirs, mine)):
        assert await tasks(reader, f"patient={strange}") == []
        assert await tasks(reader, f"patient={strange.partition('/')[2]}&code=referral") == []
        assert len(await tasks(reader, f"patient={own}&code=referral")) == 1
        assert len(await tasks(reader, f"patient={strange},{own}&code=referral")) == 1
        refusal = await reader.get(f"/fhir/Patient?link={strange}", Prefer="handling=strict")
        assert refusal.status_code == 400
    assert len(await tasks(office, f"patient={theirs}&code=referral")) == 2


async def test_what_a_client_is_not_shown_it_neither_tests_nor_takes_back(
    client: Client, other: Client, office: Client
) -> None:
    mine, theirs = await one_person(client, other, office)
    patient = (await office.get(f"/fhir/{mine}")).json()
    link = [{"other": {"reference": theirs}, "type": "seealso"}]
    assert (await office.send("PUT", f"/fhir/{mine}", {**patient, "link": link})).status_code == 200
    kind = {"Content_Type": "application/json-patch+json"}
    probe = [{"op": "test", "path": "/link/0/other/reference", "value": theirs}]
    assert (await client.send("PATCH", f"/fhir/{mine}", probe, **kind)).status_code == 422
    assert (
        await client.send("PATCH", f"/fhir/{mine}", [{"op": "remove", "path": "/telecom"}], **kind)
    ).status_code == 200
    shown = (await client.get(f"/fhir/{mine}")).json()
    assert "link" not in shown
    assert (await client.send("PUT", f"/fhir/{mine}", {**shown, "active": True})).status_code == 200
    assert (await office.get(f"/fhir/{mine}")).json()["link"] == link


async def test_a_client_is_shown_which_records_of_its_own_are_one_persons(client: Client, office: Client) -> None:
    first = (await pushed(client))["Patient"]
    bundle = renamed(referral(), "-second")
    second = (await pushed(client, bundle))["Patient"]
    await confirmed(office)
    for again in (bundle, referral()):
        await called_by(client, again, "402-555-0000")
    assert (await client.get(f"/fhir/{second}")).json()["link"][0]["other"] == {"reference": first}
    assert len(await tasks(client, f"patient={second}&code=referral")) == 2


def of_one_patient(case: str) -> dict[str, Any]:
    """A referral of the iron referral's patient, under the number another client knows him by."""
    bundle = referral(case)
    kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}
    number = {"system": "https://other.example/mrn", "value": "77", "type": kind}
    person, known = of(bundle, "Patient"), of(referral(), "Patient")
    person.clear()
    person.update(known | {"identifier": [number]})
    return bundle


@pytest.mark.parametrize(("answer", "ended"), [("both", False), ("only-first", True)])
async def test_a_later_referral_is_held_and_declined_in_words_that_tell_nothing_of_another_clients(
    client: Client, other: Client, office: Client, answer: str, ended: bool
) -> None:
    mine = (await pushed(client))["Patient"]
    theirs = (await pushed(other, of_one_patient("infliximab-pended")))["Patient"]
    await confirmed(office)
    assert (await other.push(of_one_patient("iron-meets-criteria"))).status_code == 200
    [first] = await tasks(client, f"code=referral&patient={mine}")
    told = await tasks(other, f"patient={theirs}")
    reasons = {t["statusReason"]["text"] for t in told if "statusReason" in t}
    assert "A question about the order is open at the practice" in reasons
    assert not [t for t in told if first["id"] in str(t) or mine in str(t) or "nother referral" in str(t)]
    assert [await tasks(c, "code=referral-question") for c in (client, other)] == [[], []]
    [choice] = await tasks(office, "code=referral-question")
    assert (await completed(other, choice, "only-second")).status_code == 404
    assert (await completed(office, choice, answer)).status_code == 200
    told = await tasks(other, f"patient={theirs}&code=referral")
    held = next(t for t in told if choice["partOf"] == [{"reference": f"Task/{t['id']}"}])
    assert (held["status"] == "cancelled") == ended
    assert not [t for t in told if "nother referral" in str(t)]


async def test_a_second_referral_of_ones_own_patient_is_told_of_the_first(client: Client, office: Client) -> None:
    await pushed(client)
    second = referral()
    for kind in ("Task", "ServiceRequest", "MedicationRequest"):
        for identifier in of(second, kind).get("identifier", ()):
            identifier["value"] += "-second"
    own = (await pushed(client, second))["Patient"]
    reasons = [t.get("statusReason", {}).get("text", "") for t in await tasks(client, f"code=referral&patient={own}")]
    assert any(r.startswith("Another referral of this patient") for r in reasons)
    assert len(await tasks(client, "code=referral-question")) == 1
