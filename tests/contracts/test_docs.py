"""The documentation is complete, its links lead somewhere, and what is generated is what the code says now."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldfleet import errors

PROJECT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    page.relative_to(PROJECT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", "roles/*/README.md")
    for page in PROJECT.glob(pattern)
)
REFERENCE = ("cli.md", "exit_codes.md", "goldfleet_toml.md", "roles.md")
EXIT_CODES = sorted(
    {0, errors.GoldfleetError.exit_code} | {one.exit_code for one in errors.GoldfleetError.__subclasses__()}
)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def links() -> Iterator[tuple[str, str]]:
    """Yield (page, target) for each link inside the repository."""
    for page in PAGES:
        text = FENCED.sub("", (PROJECT / page).read_text(encoding="utf-8"))
        for target in LINK.findall(text):
            if not target.startswith(("https://", "http://", "mailto:")):
                yield page, target


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = HEADING.findall(FENCED.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference, generated anew."""
    folder = tmp_path_factory.mktemp("reference")
    command = [sys.executable, "-m", "scripts.generate_reference", "--output", str(folder)]
    subprocess.run(command, cwd=PROJECT, check=True)
    return folder


@pytest.mark.parametrize("page", REFERENCE)
def test_generated_page_is_current(generated: Path, page: str) -> None:
    kept = (PROJECT / "docs/reference" / page).read_text(encoding="utf-8")
    assert kept == (generated / page).read_text(encoding="utf-8"), "run `make docs`"


def test_reference_holds_exactly_the_generated_pages(generated: Path) -> None:
    kept = {
        page.name for page in (PROJECT / "docs/reference").iterdir() if page.suffix != ".json"
    }  # schemas are written
    assert kept == {page.name for page in generated.iterdir()} == set(REFERENCE)


@pytest.mark.parametrize("command", ["bake", "images gc", "known-hosts", "local up", "demo"])
def test_reference_has_the_help_of_the_command(generated: Path, command: str) -> None:
    assert f"\nUsage: goldfleet {command} " in (generated / "cli.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("page", "target"), sorted(set(links())), ids=lambda part: part)
def test_link_leads_somewhere(page: str, target: str) -> None:
    path, _, anchor = target.partition("#")
    found = (PROJECT / page).parent / path if path else PROJECT / page
    assert found.exists()
    assert not anchor or anchor in anchors(found)


@pytest.mark.parametrize("code", EXIT_CODES)
def test_exit_code_has_a_runbook_that_readme_names(code: int) -> None:
    page = f"docs/runbooks/exit_{code}.md"
    assert (PROJECT / page).read_text(encoding="utf-8").startswith(f"# Exit {code}: ")
    assert f"[{code}]({page})" in (PROJECT / "README.md").read_text(encoding="utf-8")


def test_every_runbook_is_of_an_exit_code() -> None:
    pages = {page.name for page in (PROJECT / "docs/runbooks").iterdir()}
    assert pages == {f"exit_{code}.md" for code in EXIT_CODES}


@pytest.mark.parametrize("decision", sorted(path.name for path in (PROJECT / "docs/adr").glob("[0-9]*.md")))
def test_decision_has_its_parts_and_its_line_in_the_index(decision: str) -> None:
    text = (PROJECT / "docs/adr" / decision).read_text(encoding="utf-8")
    number = decision[:4]
    assert text.startswith(f"# {number}. ")
    assert [part for part in ("Context", "Decision", "Consequences") if f"**{part}.**" not in text] == []
    assert f"| [{number}]({decision}) |" in (PROJECT / "docs/adr/README.md").read_text(encoding="utf-8")


def test_no_number_is_given_to_two_decisions() -> None:
    numbers = [path.name[:4] for path in (PROJECT / "docs/adr").glob("[0-9]*.md")]
    assert sorted(numbers) == sorted(set(numbers))
