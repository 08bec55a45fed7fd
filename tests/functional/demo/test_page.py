"""The page in a real browser: whole, quiet, readable on a desk and on a telephone."""

import json
import re
from html import escape, unescape
from pathlib import Path
from typing import Any

import pytest

from goldfleet.demo.facts import DemoFacts
from goldfleet.demo.report import render
from goldfleet.demo.wording import headline
from tests.doubles.chromium import look_at
from tests.doubles.demos import told_badly, told_well

demos = pytest.mark.parametrize("facts", [told_well(), told_badly()], ids=["good", "bad"])

MEASURE = """<script>
const shown = [...document.querySelectorAll(".picture")].filter((picture) => picture.getBoundingClientRect().width > 0);
const outside = shown.flatMap((picture) => {
  const area = picture.getBoundingClientRect();
  return [...picture.querySelectorAll("text")].filter((text) => {
    const box = text.getBoundingClientRect();
    return box.left < area.left - 1 || box.right > area.right + 1 || box.top < area.top - 1 || box.bottom > area.bottom + 1;
  }).map((text) => text.textContent);
});
const letters = shown.flatMap((picture) => [...picture.querySelectorAll("text")].map((text) =>
  parseFloat(getComputedStyle(text).fontSize) * picture.getBoundingClientRect().width / picture.viewBox.baseVal.width));
parent.document.body.dataset.measured = JSON.stringify({
  inner: innerWidth, needed: document.documentElement.scrollWidth, pictures: shown.length, outside,
  smallest: Math.min(...letters),
});
</script>"""

POINT = """<script>
const picture = document.querySelector(".picture.wide");
const area = picture.getBoundingClientRect();
picture.dispatchEvent(new PointerEvent("pointermove", { clientX: area.left + area.width / 2, clientY: area.top + 50 }));
document.body.dataset.readout = picture.parentElement.querySelector(".readout").textContent;
picture.dispatchEvent(new PointerEvent("pointerleave"));
</script>"""


def write_page(folder: Path, facts: DemoFacts, script: str = "") -> Path:
    """Write the page of a demo, with a script of the test at its end."""
    path = folder / "report.html"
    path.write_text(render(facts).replace("</body>", f"{script}</body>"), encoding="utf-8")
    return path


def found_in(document: str, name: str) -> str:
    """Return what a test's script left in a data attribute of the body."""
    found = re.search(rf'data-{name}="(.*?)"', document)
    assert found, document[-2000:]
    return unescape(found.group(1))


@demos
def test_page_shows_headline_and_pictures_without_error_or_network(facts: DemoFacts, tmp_path: Path) -> None:
    seen = look_at(write_page(tmp_path, facts), tmp_path / "profile")
    assert f"<h1>{headline(facts)}</h1>" in seen.document
    hosts = sum(len(run.hosts) for run in facts.checks)
    assert seen.document.count('role="img"') == 2 * 3 + hosts
    assert (seen.console, seen.asked) == ((), ())


def test_page_that_asks_the_network_and_fails_would_be_seen(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text('<!doctype html><img src="http://192.0.2.1/x.png"><script>undefinedName()</script>')
    seen = look_at(path, tmp_path / "profile")
    assert any("undefinedName is not defined" in line for line in seen.console)
    assert seen.asked == ("http://192.0.2.1/x.png",)


def test_page_forbids_itself_the_network(tmp_path: Path) -> None:
    seen = look_at(write_page(tmp_path, told_well(), '<img src="http://192.0.2.1/x.png">'), tmp_path / "profile")
    assert any("Content Security Policy" in line for line in seen.console)
    assert seen.asked == ()


@demos
@pytest.mark.parametrize("width", [1280, 720, 400])
def test_everything_has_room_and_can_be_read(facts: DemoFacts, width: int, tmp_path: Path) -> None:
    """In a frame: Chromium's own window cannot be narrower than 500 pixels."""
    frame = tmp_path / "frame.html"
    page = escape(write_page(tmp_path, facts, MEASURE).read_text(encoding="utf-8"))
    frame.write_text(f'<!doctype html><iframe width="{width}" height="6000" frameborder="0" srcdoc="{page}"></iframe>')
    seen = look_at(frame, tmp_path / "profile")
    measured: dict[str, Any] = json.loads(found_in(seen.document, "measured"))
    assert measured["inner"] == width
    assert measured["needed"] <= width
    assert measured["pictures"] == 3
    assert measured["outside"] == []
    assert measured["smallest"] >= 9


def test_pointer_on_a_picture_says_what_was_true_then(tmp_path: Path) -> None:
    seen = look_at(write_page(tmp_path, told_well(), POINT), tmp_path / "profile")
    said = found_in(seen.document, "readout")
    assert re.fullmatch(r"1:5\d: 3 healthy \(floor 3, ceiling \d\); requests/s: image A 0, image B 60, failed 0", said)
    assert seen.console == ()
