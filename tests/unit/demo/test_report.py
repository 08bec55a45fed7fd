"""The page: whole in itself, escaped, well-formed."""

import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from goldfleet.demo.facts import BadCheck, CheckRun, DemoFacts, HostChecks, Image, Stage
from goldfleet.demo.report import render
from tests.doubles.demos import START, told_badly, told_well

EVIL = "</script><script>alert(1)</script><img src=x onerror='alert(1)'>\"&"
VOID = {"meta", "link", "br", "img"}
demos = pytest.mark.parametrize(
    "facts", [told_well(), told_badly(), DemoFacts("web", 3, 60, (), "B", START, START)], ids=["good", "bad", "empty"]
)


class Page(HTMLParser):
    """Reads a page strictly: every element that opens closes in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute twice in {tag}"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def evil_facts() -> DemoFacts:
    """Return a demo in which every text that comes from outside tries to break out."""
    good = told_well()
    host = HostChecks(EVIL, EVIL, EVIL, EVIL, (("failed", 1),), (BadCheck(EVIL, EVIL),), "")
    requests = tuple(replace(request, version=EVIL) for request in good.requests.requests[:60])
    failed = replace(requests[0], ok=False, error=EVIL)
    events = tuple(replace(event, target=EVIL, reason=EVIL) for event in good.health.events[:1])
    return replace(
        good,
        group=EVIL,
        rolled=EVIL,
        images=(Image(EVIL, EVIL, EVIL),),
        stages=(Stage(EVIL, good.start, good.end), Stage(EVIL, good.start, good.end, is_part=True)),
        requests=replace(good.requests, requests=(failed, *requests)),
        health=replace(good.health, events=events),
        checks=(CheckRun(EVIL, (host, replace(host, counts=(), unreachable=EVIL))),),
        problem=EVIL,
    )


@demos
def test_page_is_well_formed_with_unique_ids(facts: DemoFacts) -> None:
    page = Page(render(facts))
    assert page.open == []
    assert [found for found, count in Counter(page.ids).items() if count > 1] == []
    named = [value for name, value in page.attributes if name == "aria-labelledby"]
    assert set(" ".join(named).split()) <= set(page.ids)
    assert page.tags["h1"] == 1


@demos
def test_page_names_nothing_outside_itself(facts: DemoFacts) -> None:
    text = render(facts)
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", text)
    sources = {value for name, value in Page(text).attributes if name in ("src", "href", "action", "poster", "data")}
    assert sources == {"data:,"}
    assert "default-src 'none'" in text


def test_texts_from_outside_cannot_break_out() -> None:
    text = render(evil_facts())
    page = Page(text)
    assert page.open == []
    assert page.tags["script"] == 2
    assert page.tags["img"] == 0
    assert "<img" not in text
    assert not [name for name, _ in page.attributes if name.startswith("on")]


def test_verdict_is_seen_at_the_top() -> None:
    good, bad = render(told_well()), render(told_badly())
    assert "Every promise kept" in good
    assert "Promises broken" not in good
    assert 'class="findings"' not in good
    assert "Promises broken" in bad
    assert 'class="findings"' in bad
    assert "Failed requests per second: none" in good
    assert "Failed requests per second: none" not in bad


def test_table_numbers_the_stages_and_leaves_their_parts_without() -> None:
    bake, roll = Stage("bake", START, START + 9), Stage("roll", START + 9, START + 20.25)
    facts = replace(told_well(), stages=(bake, Stage("build", START, START + 5, is_part=True), roll))
    rows = re.findall(
        r'<tr(?: class="part")?><td class="figure">(.*?)</td><td>(.*?)</td><td class="figure">(.*?)</td>', render(facts)
    )
    assert rows == [("1", "bake", "9.0"), ("", "build", "5.0"), ("2", "roll", "11.2")]


def test_many_findings_are_cut_and_counted() -> None:
    hosts = tuple(HostChecks(f"10.64.1.{number}", "unreachable", unreachable="no route") for number in range(20))
    text = render(replace(told_well(), checks=(CheckRun("After the roll", hosts),)))
    assert "<li>And 8 more.</li>" in text
