"""The builder of HTML: whatever comes in as text comes out as text."""

import html.parser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tacit.report.html import Html, clean, escape, table, tag


class Reader(html.parser.HTMLParser):
    """Collects texts, attributes and elements."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.texts, self.values, self.elements = [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, element, attributes):
        self.elements.append(element)
        self.values += [value for _, value in attributes]

    def handle_data(self, data):
        self.texts.append(data)


@given(st.text(), st.text())
def test_any_text_comes_back_as_text(inside, attribute):
    page = Reader(tag("p", inside, title=attribute))
    assert page.elements == ["p"]
    assert "".join(page.texts) == clean(inside)
    assert page.values == [clean(attribute)]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("<script>", "&lt;script&gt;"),
        ("a & b", "a &amp; b"),
        ('"x"', "&quot;x&quot;"),
        ("tab\there \x00 \u202eback", "tab here    back"),
        ("two\nlines", "two\nlines"),
        (None, ""),
        (3.5, "3.5"),
        (["a", None, ["<", Html("<b>")]], "a&lt;<b>"),
    ],
)
def test_escape(text, written):
    assert escape(text) == written


def test_attributes():
    assert tag("td", "x", class_="number", aria_label="a", open=True, id=None, hidden=False) == (
        '<td class="number" aria-label="a" open>x</td>'
    )
    assert tag("p", title='a"b<c') == '<p title="a&quot;b&lt;c"></p>'
    assert tag("meta", charset="utf-8") == '<meta charset="utf-8">'


@pytest.mark.parametrize("attribute", ["onclick", "onload", "a b", 'x"'])
def test_attributes_that_could_run_or_break_out_are_refused(attribute):
    with pytest.raises(ValueError, match="is no attribute"):
        tag("p", **{attribute: "1"})


@pytest.mark.parametrize("element", ["script", "p><b", ""])
def test_elements_that_could_run_or_break_out_are_refused(element):
    with pytest.raises(ValueError, match="is no element"):
        tag(element)


def test_tables_have_captions_and_scopes():
    page = table("What it shows", ["a", "b"], [["x", 1], ["<i>", tag("td", "own")]], numbers=(1,), marked=1)
    assert "<caption><span>What it shows</span></caption>" in page
    assert '<th scope="col">a</th><th scope="col" class="number">b</th>' in page
    assert '<tr><th scope="row">x</th><td data-head="b" class="number">1</td></tr>' in page
    assert '<tr class="chosen"><th scope="row">&lt;i&gt;</th><td data-head="b">own</td></tr>' in page
