"""A narrative is formatting and links; whatever runs or loads is refused."""

from __future__ import annotations

import pytest

from shared.fhir.narrative import unsafe

DIV = '<div xmlns="http://www.w3.org/1999/xhtml">{}</div>'


@pytest.mark.parametrize(
    "inner",
    [
        "plain", "&lt;3 &amp; &nbsp; &#233;", "<p class='a' style='color: red'>a</p>", "<!-- said --> a",
        '<a href="https://example.org/x">a</a>', '<a href="Patient/1">a</a>', '<a href="mailto:a@example.org">a</a>',
        '<img src="#pic" alt="a"/>', '<img src="data:image/png;base64,AAAA"/>', '<img src="pic.png"/>',
        "<p style='background: url(row.png)'>a</p>", "<table><tr><td colspan='2'>a</td></tr></table>",
    ],
)  # fmt: skip
def test_formatting_links_and_own_images_are_allowed(inner: str) -> None:
    assert unsafe(DIV.format(inner)) == ""


@pytest.mark.parametrize(
    "inner",
    [
        "<script>a</script>", "<SCRIPT>a</SCRIPT>", "<style>a</style>", "<iframe/>a", "<form>a</form>", "<object/>a",
        "<link href='a.css'/>a", "<base href='x'/>a", "<svg xmlns='http://www.w3.org/2000/svg'/>a", "<input/>a",
        "<p onclick='a()'>a</p>", "<p ONMOUSEOVER='a()'>a</p>", "<img src='x' onerror='a()'/>",
        "<a href='javascript:a()'>a</a>", "<a href=' java&#10;script:a()'>a</a>", "<a href='JaVaScRiPt:a()'>a</a>",
        "<a href='javascript&colon;a()'>a</a>", "<a href='data:text/html,a'>a</a>", "<a href='vbscript:a'>a</a>",
        "<a href='file:///etc/passwd'>a</a>", "<img src='http://example.org/p'/>", "<img src='//example.org/p'/>",
        "<img src='data:image/svg+xml;base64,AA'/>", "<img src='data:text/html,a'/>", "<q cite='http://x.org'>a</q>",
        "<p style='background: url( http://x.org/p)'>a</p>", "<p style='background:url(\"//x.org/p\")'>a</p>",
        "<p style='width: expression(a())'>a</p>", "<p style='u\\72l(a)'>a</p>", "<p style='@import a'>a</p>",
        "<p hidden='a'>a</p>", "<tr idref='a'>a</tr>", "<a href='#a' target='_top'>a</a>", "<p data-a='b'>a</p>",
        "<?php a ?>a", "<p>a", "a</div><div>b", "&unknown;", "", "  \n", "<p/>", "&#0;",
    ],
)  # fmt: skip
def test_what_runs_loads_or_is_not_well_formed_is_refused(inner: str) -> None:
    assert unsafe(DIV.format(inner))


@pytest.mark.parametrize(
    "whole",
    [
        "", "plain", "<div>no namespace</div>", '<p xmlns="http://www.w3.org/1999/xhtml">a</p>', "\ud800",
        '<?xml version="1.0"?>' + DIV.format("a"), "<!DOCTYPE div [<!ENTITY a 'b'>]>" + DIV.format("&a;"),
        '<!DOCTYPE div SYSTEM "http://example.org/x.dtd">' + DIV.format("a"),
    ],
)  # fmt: skip
def test_a_narrative_is_one_div_without_declarations(whole: str) -> None:
    assert unsafe(whole)


def test_the_reason_never_repeats_the_narrative() -> None:
    assert "Roe" not in unsafe(DIV.format("<script>Jane Roe</script>")) + unsafe("Jane Roe")
