"""What is set on paper can be read again, twice alike, in letters the fonts have."""

from __future__ import annotations

from shared.paper import Part, sheets

PARTS = (
    Part("Request", title=True, pairs=[("Member", "Łucja Dvořák")], texts=["Why <this> & that."]),
    Part("Evidence", items=["Hemoglobin 9.1 g/dL"], rows=[("Test", "Value"), ("Ferritin", "8")], apart=True),
)


def test_the_same_words_give_the_same_bytes() -> None:
    assert sheets("Title", "Us", "N-1", PARTS) == sheets("Title", "Us", "N-1", PARTS)


def test_every_word_stands_on_the_paper_and_each_sheet_says_its_page() -> None:
    content = sheets("Title", "Us", "N-1", PARTS)
    assert content.startswith(b"%PDF-")
    for words in (
        b"Lucja Dvo",
        b"Why <",
        b"> & that.",
        b"Hemoglobin 9.1 g/dL",
        b"Ferritin",
        b"Sheet 1",
        b"Sheet 2",
        b"N-1",
    ):
        assert words in content, words


def test_a_long_table_goes_on_with_its_head() -> None:
    rows = [("Test", "Value"), *((f"Test {n}", "1") for n in range(200))]
    assert sheets("Title", "Us", "N-1", (Part(rows=rows),)).count(b"(Value)") > 2
