"""The page of a verification in a real browser: whole, quiet, quick with a hundred thousand results."""

import json
import re
from html import unescape
from pathlib import Path
from random import Random
from typing import Any

import pytest

from goldfleet.transport.model import Cost
from goldfleet.verify.model import CheckOutcome, CheckResult, HostResult, Verdict
from goldfleet.verify.page import Subject, headline, render
from tests.doubles.chromium import look_at

SUBJECT = Subject("web", "2026-11-28 10:00:00 UTC", "3 connections, 3 sessions, 90 kB")
EVIL = "</script><img src=x onerror=document.title='evil'> & \"quoted\" \u2028"
SHARED = tuple(CheckResult(f"test_{number // 10}::test_{number}", CheckOutcome.PASSED, 0.001) for number in range(100))
BROKEN = CheckResult(
    "test_0::test_7", CheckOutcome.FAILED, 0.002, "AssertionError: 502 is not 200", "def test_7():\n>   assert 0"
)

TELL = """<script>
document.body.dataset.told = JSON.stringify({
  title: document.title, shown: document.getElementById("shown").textContent,
  labels: document.querySelectorAll("#labels div").length,
  width: document.getElementById("grid").width, inner: innerWidth, needed: document.documentElement.scrollWidth,
  costs: document.querySelectorAll("#costs tbody tr").length,
});
</script>"""

FILTER = """<script>
const field = document.getElementById("filter");
const told = [];
for (const words of WORDS) {
  const began = performance.now();
  field.value = words;
  field.dispatchEvent(new Event("input"));
  told.push([document.getElementById("shown").textContent, performance.now() - began]);
}
document.body.dataset.told = JSON.stringify(told);
</script>"""

POINT = """<script>
const grid = document.getElementById("grid");
const area = grid.getBoundingClientRect();
grid.dispatchEvent(new PointerEvent("pointermove", { clientX: area.left + 1, clientY: area.top + 7 * 14 + 3 }));
document.body.dataset.told = JSON.stringify(document.getElementById("readout").textContent);
</script>"""

OPENED = """<script>
void document.body.offsetHeight;
document.getElementById("grid").getContext("2d").getImageData(0, 0, 1, 1);
document.body.dataset.told = JSON.stringify(performance.now());
</script>"""


def fleet(number: int, odd: int = 3) -> Verdict:
    """Return a fleet that agrees, but for some servers on which one check failed, and one that is closed."""
    good = [
        HostResult(f"10.0.{one >> 8}.{one & 255}", SHARED, instance_id=f"i-{one:05}", image_id="ami-1")
        for one in range(number)
    ]
    row = (*SHARED[:7], BROKEN, *SHARED[8:])
    for one in range(odd):
        good[number // 2 + one] = HostResult(f"10.9.0.{one}", row, instance_id=f"i-odd{one}", image_id="ami-1")
    closed = HostResult(
        "10.9.9.9", unreachable="SSH is closed: port 22 of 10.9.9.9 did not answer", instance_id="i-closed"
    )
    return Verdict((*good[:-1], closed), cost=Cost(number, number))


def scattered() -> Verdict:
    """Return a thousand servers, on each of which five in a hundred checks failed, each with words of its own."""
    random = Random(5)  # noqa: S311 - no secret
    hosts = []
    for one in range(1000):
        row = tuple(
            CheckResult(check.name, CheckOutcome.FAILED, 0.001, f"AssertionError: {random.random()}")
            if random.random() < 0.05
            else check
            for check in SHARED
        )
        hosts.append(HostResult(f"10.0.{one >> 8}.{one & 255}", row, instance_id=f"i-{one:05}"))
    return Verdict(tuple(hosts))


def see(folder: Path, verdict: Verdict, script: str, *flags: str) -> Any:
    """Return what a script of the test found on the page, which must be quiet and ask nobody for anything."""
    page = folder / "report.html"
    page.write_text(render(verdict, SUBJECT).replace("</body>", f"{script}</body>"), encoding="utf-8")
    seen = look_at(page, folder / "profile", *flags)
    assert (seen.console, [url for url in seen.asked if not url.startswith(("file:", "data:"))]) == ((), [])
    found = re.search(r'data-told="(.*?)"', seen.document)
    assert found, seen.document[-2000:]
    return json.loads(unescape(found.group(1)))


def test_page_leads_with_the_verdict_and_what_differs(tmp_path: Path) -> None:
    text = render(fleet(1000), SUBJECT)
    assert "<h1>4 of 1,000 servers are not proven</h1>" in text
    assert "996 of 999 agree (passed); 3 differ" in text
    assert text.index("4 of 1,000") < text.index("3 differ") < text.index("Every result")
    assert "<code>i-odd0</code>, <code>i-odd1</code>, <code>i-odd2</code>" in text
    told = see(tmp_path, fleet(1000), TELL)
    assert told["title"] == "goldfleet verify: 4 of 1,000 servers are not proven"
    assert told["shown"] == "1,000 of 1,000 servers, 100 of 100 checks"
    assert (told["labels"], told["costs"]) == (100, 20)
    assert told["needed"] <= told["inner"]


def test_page_tells_why_most_failed_and_who_was_left_out() -> None:
    row = (*SHARED[:7], BROKEN, *SHARED[8:])
    hosts = (
        *(HostResult("", row, instance_id=f"i-bad{one}") for one in range(8)),
        HostResult("", SHARED, instance_id="i-good"),
    )
    page = render(Verdict(hosts), Subject("web", "now", left_out=(("i-9", "Standby"), ("i-8", "not in the sample"))))
    assert "8 of 9 agree (failed); 1 differs" in page
    assert BROKEN.message in page.partition("Every result")[0]
    assert "1 (Standby): <code>i-9</code>; 1 (not in the sample): <code>i-8</code>" in page


def test_page_fits_a_telephone(tmp_path: Path) -> None:
    told = see(tmp_path, fleet(50), TELL, "--window-size=500,900")
    assert told["needed"] <= told["inner"]


def test_odd_ones_come_first_and_a_cell_tells_what_it_is(tmp_path: Path) -> None:
    verdict = fleet(100)
    hosts = tuple(host for host in verdict.hosts if not host.unreachable)
    said = see(tmp_path, Verdict(hosts), POINT)
    assert said == "test_0::test_7: failed on i-odd0 (10.9.0.0)\nAssertionError: 502 is not 200"


@pytest.mark.parametrize("verdict", [fleet(1000), scattered()], ids=["agreeing", "scattered"])
def test_page_opens_within_two_seconds_with_a_hundred_thousand_results(verdict: Verdict, tmp_path: Path) -> None:
    assert sum(len(host.checks) for host in verdict.hosts) >= 99_900
    assert see(tmp_path, verdict, OPENED) < 2000


@pytest.mark.parametrize("verdict", [fleet(1000), scattered()], ids=["agreeing", "scattered"])
def test_filter_answers_within_a_tenth_of_a_second(verdict: Verdict, tmp_path: Path) -> None:
    words = json.dumps(["i-0000", "test_3::", "AssertionError", "no such thing", ""])
    told = see(tmp_path, verdict, FILTER.replace("WORDS", words))
    assert [shown.split(" of ")[0] for shown, _ in told][-2:] == ["0", "1,000"]
    assert max(milliseconds for _, milliseconds in told) < 100, told


def test_what_servers_say_cannot_change_the_page(tmp_path: Path) -> None:
    bad = CheckResult(f"test_x::{EVIL}", CheckOutcome.FAILED, 0.1, EVIL, EVIL)
    hosts = (HostResult(EVIL, (bad,), instance_id=EVIL, image_id=EVIL), HostResult("b", unreachable=EVIL))
    told = see(tmp_path, Verdict(hosts, remarks=(EVIL,), differing=(EVIL,)), TELL)
    assert told["title"] == "goldfleet verify: 2 of 2 servers are not proven"


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (Verdict(()), "No server was verified"),
        (Verdict((HostResult("a", SHARED),)), "The server is proven"),
        (Verdict((HostResult("a", SHARED), HostResult("b", SHARED))), "All 2 servers are proven"),
        (Verdict((HostResult("a", SHARED), HostResult("b"))), "1 of 2 servers is not proven"),
        (Verdict((HostResult("a", SHARED),), differing=("a: x",)), "1 shared verdict does not hold"),
        (
            Verdict((HostResult("a", SHARED),), missing=("b", "c")),
            "The run did not come to its end: 1 of 3 servers were checked",
        ),
    ],
)
def test_headline_says_how_it_ended(verdict: Verdict, said: str, tmp_path: Path) -> None:
    assert headline(verdict) == said
    assert see(tmp_path, verdict, TELL)["title"] == f"goldfleet verify: {said}"
