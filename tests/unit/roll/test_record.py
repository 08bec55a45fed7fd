"""A roll survives its tags whole, and tags that hold something else are said to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfleet import tags
from goldfleet.aws.model import LaunchSpec
from goldfleet.errors import RefusedError
from goldfleet.roll.model import Direction, Fit, Grow, Intent, Policy, Roll, Shrink, Sizes, State
from goldfleet.roll.record import (
    changed_tags,
    decode_fit,
    decode_roll,
    decode_surge,
    encode_fit,
    encode_roll,
    encode_surge,
)
from tests.unit.roll.fleets import OLD, roll

counts = st.integers(0, 10_000)
intents = st.one_of(
    st.none(),
    st.builds(Grow, st.integers(-99, 99).filter(bool), counts),
    st.builds(Shrink, st.from_regex(r"i-[0-9a-f]{17}", fullmatch=True), counts),
)
fits = st.one_of(
    st.builds(
        lambda number, version: Fit(LaunchSpec("", f"lt-{number:017x}", "", str(version)), f"ami-{number:08x}"),
        counts,
        st.integers(1, 10_000),
    ),
    st.builds(lambda name: Fit(LaunchSpec(name), "ami-0abc"), st.text("abc-_.:/ lt", min_size=1, max_size=200)),
)
rolls = st.builds(
    Roll,
    roll_id=st.just("20261123-141530-a1b2c3"),
    target=fits,
    previous=fits,
    sizes=st.builds(Sizes, counts, counts, counts),
    policy=st.builds(Policy, st.one_of(st.integers(1, 99), st.just("25%")), counts, counts),
    state=st.sampled_from(State),
    direction=st.sampled_from(Direction),
    surge=counts,
    intent=intents,
    raised_max=st.one_of(st.none(), counts),
    why=st.sampled_from(["", "i-1 failed its checks: test_nginx"]),
)


@given(rolls)
def test_roll_comes_back_from_its_tags(written: Roll) -> None:
    found = encode_roll(written)
    assert all(0 < len(value) <= 256 for value in found.values())
    assert decode_roll("web", {**found, "Name": "web"}) == written


@given(rolls, rolls)
def test_changed_tags_turn_one_roll_into_the_other(before: Roll, after: Roll) -> None:
    assert decode_roll("web", {**encode_roll(before), **changed_tags(before, after)}) == after


@given(counts, intents)
def test_surge_comes_back_from_its_tag(surge: int, intent: Intent | None) -> None:
    assert decode_surge(encode_surge(surge, intent)) == (surge, intent)


def test_tag_values_are_what_the_runbook_shows() -> None:
    assert encode_surge(0, Grow(1, 3)) == "0 +1@3"
    assert encode_surge(1, Shrink("i-0abc", 4)) == "1 -1@i-0abc@4"
    assert encode_fit(OLD) == "ami-1 lt:lt-0abc:1"
    assert encode_fit(Fit(LaunchSpec("web-1"), "ami-1")) == "ami-1 lc:web-1"


@pytest.mark.parametrize(
    "text", ["", "ami-1", "ami-1 lt:lt-0abc", "ami-1 lc:", "lt:lt-0abc:1", "ami-1 lt:lt-0abc:$Latest"]
)
def test_text_that_is_no_fit_is_none(text: str) -> None:
    assert decode_fit(text) is None


@pytest.mark.parametrize("text", ["", "x", "1 +@3", "1 -1@", "1 +1@i-", "-1"])
def test_text_that_is_no_surge_is_none(text: str) -> None:
    assert decode_surge(text) is None


def test_group_without_the_tags_has_no_roll() -> None:
    assert decode_roll("web", {"Name": "web", tags.PREVIOUS: encode_fit(OLD)}) is None


@pytest.mark.parametrize(
    "broken", [tags.ROLL_SIZES, tags.ROLL_SURGE, tags.ROLL_STATE, tags.ROLL_TARGET, tags.ROLL_POLICY]
)
def test_tag_that_cannot_be_read_is_named(broken: str) -> None:
    found = {**encode_roll(roll()), broken: "nonsense"}
    with pytest.raises(
        RefusedError, match=f"The tags of group web that hold a roll cannot be read .*{broken}=nonsense"
    ):
        decode_roll("web", found)


def test_tag_that_is_missing_is_named() -> None:
    found = encode_roll(roll())
    del found[tags.ROLL_POLICY]
    with pytest.raises(RefusedError, match="policy"):
        decode_roll("web", found)


def test_reason_is_cut_to_what_a_tag_holds() -> None:
    assert len(encode_roll(roll(why="x " * 400))[tags.ROLL_WHY]) == 256


def test_desired_capacity_in_which_own_surge_was_seen_is_kept() -> None:
    kept = roll(1, settled=4)
    assert encode_roll(kept)[tags.ROLL_SURGE] == "1=4"
    assert decode_roll("web", encode_roll(kept)) == kept
