"""Cut-offs. The first seven cases of plugin_output are the lengths and marks of amazon-ssm-agent's own test."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfleet.localcloud.ssm.output import plugin_output, stderr_content, stdout_content

LONG = "x" * 400
TITLE = "\n----------ERROR-------\n"
OUT_CUT = "\n---Output truncated---"
ERROR_CUT = "\n---Error truncated----"


@pytest.mark.parametrize(
    ("stdout", "stderr", "shown"),
    [
        ("", "", ""),
        ("out", "", "out"),
        ("", "error", TITLE + "error"),
        ("out", "error", "out" + TITLE + "error"),
        (LONG, "", "x" * 77 + OUT_CUT),
        ("", LONG, TITLE + "x" * 53 + ERROR_CUT),
        (LONG, LONG, "x" * 15 + OUT_CUT + TITLE + "x" * 15 + ERROR_CUT),
        (LONG, "error", "x" * 48 + OUT_CUT + TITLE + "error"),
        ("out", LONG, "out" + TITLE + "x" * 50 + ERROR_CUT),
    ],
)
def test_both_outputs_share_the_room_of_a_plugin(stdout: str, stderr: str, shown: str) -> None:
    assert plugin_output(stdout, stderr, limit=100) == shown
    assert len(shown) <= 100


@given(st.text(max_size=3000), st.text(max_size=3000))
def test_a_plugin_shows_at_most_2500_characters_and_says_what_it_cuts(stdout: str, stderr: str) -> None:
    shown = plugin_output(stdout, stderr)
    assert len(shown) <= 2500
    whole = stdout + (TITLE + stderr if stderr else "")
    assert shown == whole or "truncated---" in shown


@pytest.mark.parametrize(
    ("length", "shown"), [(0, 0), (23_999, 23_999), (24_000, 24_000), (24_001, 24_000), (90_000, 24_000)]
)
def test_standard_output_is_cut_at_24000(length: int, shown: int) -> None:
    content = stdout_content(b"o" * length)
    assert len(content) == shown
    assert content.endswith("--output truncated--") == (length >= 24_000)


def test_standard_error_is_cut_at_8000_and_a_failure_is_named_where_there_is_room() -> None:
    assert stderr_content(b"bad\n", 7) == "bad\nfailed to run commands: exit status 7"
    assert stderr_content(b"bad\n", 0) == "bad\n"
    assert len(stderr_content(b"e" * 9000, 7)) == 8000


def test_what_is_no_text_is_shown_as_unknown_characters() -> None:
    assert stdout_content(b"a\xffb") == "a\N{REPLACEMENT CHARACTER}b"
