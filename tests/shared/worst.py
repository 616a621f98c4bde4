"""Bodies chosen to cost as much as a body of their size can: each shape fills the bytes or the parts it may have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from uuid import UUID

from shared.fhir.bodies import LIMIT, PARTS, outside_strings

Shape = Callable[[int], bytes]
"""(size in bytes) -> a body of about that size."""

FIRST = '{"resourceType":"Bundle","type":"transaction","entry":['
_DIV = '{"resourceType":"Patient","text":{"status":"generated","div":"<div xmlns=\\"http://www.w3.org/1999/xhtml\\"'


def filled(head: str, item: str, tail: str = "]}", joint: str = ",") -> Shape:
    """One item again and again; `#` in it becomes a number, other in each."""

    def made(size: int) -> bytes:
        numbered = item.replace("#", "00000000")
        times = max(1, (size - len(head.encode()) - len(tail)) // (len(numbered.encode()) + len(joint)))
        items = (item.replace("#", f"{n:08}") if "#" in item else item for n in range(times))
        return (head + joint.join(items) + tail).encode()

    return made


def of(kind: str, element: str, item: str) -> Shape:
    """A resource with one element repeated."""
    return filled(f'{{"resourceType":"{kind}","{element}":[', item)


def anything(item: str, tail: str = "]}") -> Shape:
    """Items that no resource has: only the gate looks at them."""
    return filled('{"resourceType":"Patient","x":[', item, tail)


def entries(size: int, *, url: str = "urn:uuid:{}", last: str = "") -> bytes:
    """A transaction of as many small entries as may be, then one with `last` in it."""
    made = []
    resource = '"request":{"method":"POST","url":"Patient"},"resource":{"resourceType":"Patient"}'
    while size > 0 and len(made) < 999:
        made.append(f'{{"fullUrl":"{url.format(UUID(int=len(made)))}",{resource}}}')
        size -= len(made[-1]) + 1
    return (FIRST + ",".join([*made, last] if last else made) + "]}").encode()


def _referring(size: int) -> bytes:
    """A thousand entries, the last of which refers to the others as often as may be."""
    named = [f'{{"reference":"urn:uuid:{UUID(int=n % 999)}"}}' for n in range(max(1, (size - 160_000) // 64))]
    resource = f'"resource":{{"resourceType":"Patient","generalPractitioner":[{",".join(named)}]}}'
    last = f'{{"fullUrl":"urn:uuid:{UUID(int=5000)}","request":{{"method":"POST","url":"Patient"}},{resource}}}'
    return entries(150_000, last=last)


def _inside(opening: str, closing: str, core: str, levels: int) -> str:
    return opening * levels + core + closing * levels


SHAPES: Mapping[str, Shape] = {
    # What the gate holds
    "empty objects": anything("{}"),
    "empty arrays": anything("[]"),
    "objects with one member": anything('{"a":1}'),
    "objects with one text": anything('{"a":"#"}'),
    "decimals": anything("1.1"),
    "long decimals": anything("0." + "1" * 98),
    "integers": anything("999999"),
    "texts": anything('"#"'),
    "many names": filled('{"resourceType":"Patient",', '"a#":1', "}"),
    # What the careful reading holds
    "empty objects, then a control": anything("{}", ',"\\u0001"]}'),
    "objects, then a control": anything('{"a":1}', ',"\\u0001"]}'),
    "decimals, then NaN": anything("1.1", ",NaN]}"),
    "objects, then a name twice": anything('{"a":1}', ',{"a":1,"a":1}]}'),
    "objects, then a legal escape": anything('{"a":1}', ',"\\ud83d\\ude00"]}'),
    "controls": anything('"\\u0001"'),
    "half surrogates": anything('"\\ud800"'),
    # One long thing
    "one text": filled('{"resourceType":"Patient","gender":"', "a", '"}', ""),
    "one wide text": filled('{"resourceType":"Patient","gender":"\U0001f600', "a", '"}', ""),
    "one text of wide characters": filled('{"resourceType":"Patient","gender":"', "\U0001f600", '"}', ""),
    "one escaped text": filled('{"resourceType":"Patient","gender":"', "\\u00e9", '"}', ""),
    "one number": filled('{"resourceType":"Patient","x":', "9", "}", ""),
    "one fraction": filled('{"resourceType":"Patient","x":0.', "9", "}", ""),
    "one exponent": filled('{"resourceType":"Patient","x":1e', "9", "}", ""),
    "one name": filled('{"', "a", '":1}', ""),
    "one name of an element": filled('{"resourceType":"Patient","', "a", '":1}', ""),
    "one type": filled('{"resourceType":"', "A", '"}', ""),
    "one code of many words": filled('{"resourceType":"Patient","language":"', "a", '"}', " "),
    "one oid": filled('{"resourceType":"Patient","implicitRules":"urn:oid:1.', "1", '"}', "."),
    "one uri": filled('{"resourceType":"Patient","implicitRules":"a:', "b", '"}', ""),
    "one date": filled('{"resourceType":"Patient","birthDate":"2026-01-01T00:00:00.', "0", 'Z"}', ""),
    "one reference": filled('{"resourceType":"Patient","managingOrganization":{"reference":"', "a/", '"}}', ""),
    "one document of blanks": filled('{"resourceType":"Binary","contentType":"a/b","data":"', "AAAA", '"}', " "),
    "quotes": filled('{"a":"', '\\"', '"}', ""),
    "backslashes": filled('{"a":"', "\\\\", '"}', ""),
    "brackets in a text": filled('{"a":"', "[{", '"}', ""),
    "an open text": filled('{"a":"', '\\"', "", ""),
    "no bracket closed": filled("", "[", "", ""),
    "no object closed": filled("", '{"a":', "", ""),
    "empty texts": filled("", '""', "", ""),
    "blanks": filled("{", " ", "}", ""),
    "not utf-8": lambda size: b'{"a":"' + b"\xff" * (size - 8) + b'"}',
    # Narratives
    "a flat narrative": filled(_DIV + ">", "<b>a</b>", '</div>"}}', ""),
    "a deep narrative": filled(_DIV + ">", "<b>", '</div>"}}', ""),
    "entities": filled(_DIV + ">", "&lt;", '</div>"}}', ""),
    "unknown entities": filled(_DIV + ">", "&a;", '</div>"}}', ""),
    "attributes": filled(_DIV, " a#=''", '></div>"}}', ""),
    "namespaces": filled(_DIV, " xmlns:a#='a:b'", '></div>"}}', ""),
    # What the validator walks
    "names of a patient": of("Patient", "name", '{"family":"a"}'),
    "wrong names of a patient": of("Patient", "name", "{}"),
    "identifiers": of("Patient", "identifier", '{"system":"a:b","value":"#"}'),
    "extensions": of("Patient", "extension", '{"url":"a:#","valueCode":"c"}'),
    "wrong extensions": of("Patient", "extension", "{}"),
    "wrong modifier extensions": of("Patient", "modifierExtension", '{"url":"a:b","valueCode":"c"}'),
    "extensions of extensions": of(
        "Patient", "extension", _inside('{"url":"a:b","extension":[', "]}", '{"url":"a:b","valueCode":"c"}', 12)
    ),
    "contained, unreferenced": of("Patient", "contained", '{"resourceType":"Patient","id":"a#"}'),
    "contained, of one id": of("Patient", "contained", '{"resourceType":"Organization","id":"a","name":"b"}'),
    "references": of("Patient", "generalPractitioner", '{"reference":"Practitioner/#"}'),
    "references to nothing contained": of("Patient", "generalPractitioner", '{"reference":"\\u0023a"}'),
    "odd references": of("Patient", "generalPractitioner", '{"reference":"a:#"}'),
    "codings": filled('{"resourceType":"Patient","maritalStatus":{"coding":[', '{"system":"a:b","code":"c#"}', "]}}"),
    "profiles": filled('{"resourceType":"Patient","meta":{"profile":[', '"a:#"', "]}}"),
    "given names and nothing beside them": filled(
        '{"resourceType":"Patient","name":[{"_given":[', "null", '],"given":["a"]}]}'
    ),
    "items of a claim": of("Claim", "item", '{"sequence":1}'),
    "items of items": of(
        "QuestionnaireResponse", "item", _inside('{"linkId":"a","item":[', "]}", '{"linkId":"b"}', 12)
    ),
    "items of a questionnaire": of("Questionnaire", "item", '{"linkId":"a#","type":"string"}'),
    "elements of a definition": filled(
        '{"resourceType":"StructureDefinition","url":"a:b","name":"A","status":"draft","kind":"resource",'
        '"abstract":false,"type":"Patient","baseDefinition":"a:b","derivation":"constraint",'
        '"differential":{"element":[',
        '{"id":"a#","path":"a"}',
        "]}}",
    ),
    "includes of a value set": filled(
        '{"resourceType":"ValueSet","status":"active","compose":{"include":[', '{"system":"a:b"}', "]}}"
    ),
    "concepts of a code system": of("CodeSystem", "concept", '{"code":"a#"}'),
    "inputs of a task": filled(
        '{"resourceType":"Task","status":"requested","intent":"order","input":[',
        '{"type":{"text":"a"},"valueString":"b"}',
    ),
    "parameters": of("Parameters", "parameter", '{"name":"a","valueString":"b"}'),
    "groups of a map": of("ConceptMap", "group", '{"element":[{"code":"a","target":[{"equivalence":"equal"}]}]}'),
    "resources of a capability": of(
        "CapabilityStatement", "rest", '{"mode":"server","resource":[{"type":"Patient"},{"type":"Patient"}]}'
    ),
    "components": of("Observation", "component", '{"code":{"text":"a"},"valueString":"b"}'),
    # Bundles
    "entries": filled(
        FIRST, '{"fullUrl":"a:#","resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient"}}'
    ),
    "entries of one name": filled(
        FIRST, '{"fullUrl":"a:b","resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient"}}'
    ),
    "empty entries": filled(FIRST, "{}"),
    "entries of null": filled(FIRST.replace("transaction", "batch"), "null"),
    "entries of a batch": filled(
        FIRST.replace("transaction", "batch"),
        '{"resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient"}}',
    ),
    "bundles inside": filled(
        FIRST, _inside('{"resource":{"resourceType":"Bundle","type":"batch","entry":[', "]}}", "{}", 8)
    ),
    "collections inside": filled(
        FIRST,
        '{"resource":{"resourceType":"Bundle","type":"collection","entry":['
        '{"fullUrl":"a:b","resource":{"resourceType":"Patient"}}]}}',
    ),
    "a thousand entries referred to": _referring,
    "messages": filled(
        FIRST.replace("transaction", "message")
        + '{"fullUrl":"a:b","resource":{"resourceType":"MessageHeader","id":"a","source":{"endpoint":"a:b"},'
        '"eventCoding":{"system":"http://terminology.hl7.org/CodeSystem/v2-0003","code":"I12"},'
        '"focus":[{"reference":"a:00000000"}]}},',
        '{"fullUrl":"a:#","resource":{"resourceType":"Task","status":"requested","intent":"order"}}',
    ),
    "events of a notification": filled(
        FIRST.replace("transaction", "history"),
        '{"fullUrl":"a:#","resource":{"resourceType":"Parameters"},"request":{"method":"GET","url":"a"},'
        '"response":{"status":"200"}}',
    ),
}


def largest(shape: Shape, size: int = LIMIT, parts: int = PARTS) -> bytes:
    """The largest body of a shape that passes the bounds of bytes and parts."""
    body = shape(size)
    seen = sum(outside.count(part) for outside in outside_strings(body) for part in (b"{", b"[", b",", b":"))
    return body if seen <= parts else shape(int(size * parts / seen) - 1000)


def _documented(told: str, length: int | None = None) -> Shape:
    """A transaction with a document, of this length in base64 or as long as may be, beside a patient's name."""

    def made(size: int) -> bytes:
        head = (
            FIRST + f'{{"fullUrl":"urn:uuid:{UUID(int=1)}","request":{{"method":"POST","url":"Binary"}},"resource":'
            '{"resourceType":"Binary","contentType":"application/pdf","data":"'
        )
        tail = (
            f'"}}}},{{"fullUrl":"urn:uuid:{UUID(int=2)}","request":{{"method":"POST","url":"Patient"}},"resource":'
            f'{{"resourceType":"Patient","gender":"male","name":[{{"text":"{told}"}}]}}}}]}}'
        )
        most = size - len(head.encode()) - len(tail.encode())
        return (head + "A" * (min(most, length or most) // 4 * 4) + tail).encode()

    return made


_WIDE = "\U0001f600" * (LIMIT // 4 - 400)

DOCUMENTS: Mapping[str, Shape] = {
    "a document": _documented("a"),
    "a document that is kept": _documented("a", 25 * 1024 * 1024 * 4 // 3),
    "a document beside wide text": _documented(_WIDE),
}
"""Bundles as large as a Bundle may be."""
