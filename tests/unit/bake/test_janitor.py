from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfleet import tags
from goldfleet.aws.model import Image, Instance, KeyPair, SecurityGroup, Snapshot
from goldfleet.bake.janitor import (
    DeleteKeyPair,
    DeleteSecurityGroup,
    DeleteSnapshot,
    DeregisterImage,
    RunLeftovers,
    RunSeen,
    TerminateInstance,
    describe,
    is_unverified,
    removals,
    runs_seen,
    runs_to_remove,
)
from goldfleet.errors import RefusedError

RUN = "20261123-141530-a1b2c3"
OTHER = "20261123-141530-ffffff"
NOW = datetime(2026, 11, 23, 18, 0, 0, tzinfo=UTC)
PAST, FUTURE = "2026-11-23T17:59:59Z", "2026-11-23T18:00:01Z"


def temporary(run: str = RUN, expires: str = PAST) -> dict[str, str]:
    return tags.temporary_tags("app", run, expires)


def ami(name: str = tags.ami_name("app", RUN), **image_tags: str) -> Image:
    return Image("ami-1", name, "available", "x86_64", "2026", ("snap-1",), image_tags)


LEFT = RunLeftovers(
    RUN,
    instances=(Instance("i-1", "running"), Instance("i-2", "terminated")),
    images=(ami(),),
    snapshots=(Snapshot("snap-1"), Snapshot("snap-2")),
    security_groups=(SecurityGroup("sg-1", "g"),),
    key_pairs=(KeyPair("key-1", "goldfleet-x"),),
)


def test_removals_end_with_the_key_pair_which_stands_for_the_run() -> None:
    assert removals(LEFT) == (
        TerminateInstance("i-1"),
        DeregisterImage("ami-1", tags.ami_name("app", RUN), RUN, ("snap-1",)),
        DeleteSnapshot("snap-1"),
        DeleteSnapshot("snap-2"),
        DeleteSecurityGroup("sg-1"),
        DeleteKeyPair("goldfleet-x"),
    )


def test_every_removal_is_described_with_its_object() -> None:
    assert [describe(removal).split()[-1].strip(",") for removal in removals(LEFT)] == [
        "i-1",
        "verified",
        "snap-1",
        "snap-2",
        "sg-1",
        "goldfleet-x",
    ]


@pytest.mark.parametrize(
    ("image", "unverified"),
    [
        (ami(), True),
        (ami(**{tags.RUN: RUN}), True),
        (ami(**{tags.VERIFIED: PAST}), False),
        (ami(**{tags.VERIFIED: "failed"}), False),
        (ami(tags.ami_name("app", OTHER)), False),
        (ami(f"somebodys-app-{RUN}"), False),
        (ami(f"goldfleet-{RUN}"), False),
    ],
    ids=["untagged", "tagged", "verified", "failed", "another run's", "foreign name", "no image in its name"],
)
def test_only_the_runs_own_unverified_ami_may_go(image: Image, unverified: bool) -> None:
    assert is_unverified(image, RUN, protected=()) is unverified


def test_ami_that_a_pointer_names_may_not_go() -> None:
    assert not is_unverified(ami(), RUN, protected={"ami-1"})


TAG_SETS = st.lists(
    st.dictionaries(
        st.sampled_from([tags.RUN, tags.EXPIRES, "Name", "goldfleet:image"]),
        st.sampled_from([RUN, OTHER, PAST, FUTURE, "", "*", "x"]),
    ),
    max_size=6,
)


@given(TAG_SETS)
def test_runs_come_only_from_things_with_both_tags(tag_sets: list[dict[str, str]]) -> None:
    both = {one[tags.RUN] for one in tag_sets if tags.RUN in one and tags.EXPIRES in one}
    assert {seen.run for seen in runs_seen(tag_sets)} == both & {RUN, OTHER}


@pytest.mark.parametrize(
    ("expiries", "expires"),
    [([PAST], PAST), ([PAST, FUTURE, PAST], FUTURE), ([PAST, "tomorrow"], "")],
    ids=["one", "the latest counts", "an unreadable one"],
)
def test_latest_expiry_of_a_run_counts(expiries: list[str], expires: str) -> None:
    assert runs_seen([temporary(expires=one) for one in expiries]) == (RunSeen(RUN, expires),)


@pytest.mark.parametrize(
    ("seen", "live", "chosen"),
    [
        (RunSeen(RUN, PAST), (), True),
        (RunSeen(RUN, FUTURE), (), False),
        (RunSeen(RUN, ""), (), False),
        (RunSeen(RUN, PAST), (RUN,), False),
        (RunSeen(RUN, PAST), (OTHER,), True),
    ],
    ids=["expired", "not expired", "unreadable", "at work", "another one at work"],
)
def test_expired_runs_that_are_not_at_work_are_chosen(seen: RunSeen, live: tuple[str, ...], chosen: bool) -> None:
    assert runs_to_remove([seen], NOW, frozenset(live)) == ((seen,) if chosen else ())


def test_named_run_is_chosen_before_its_expiry_and_alone() -> None:
    seen = [RunSeen(RUN, FUTURE), RunSeen(OTHER, PAST)]
    assert runs_to_remove(seen, NOW, frozenset(), RUN) == (RunSeen(RUN, FUTURE),)


def test_named_run_that_is_at_work_is_refused() -> None:
    with pytest.raises(RefusedError, match=f"Run {RUN} is still at work"):
        runs_to_remove([], NOW, frozenset({RUN}), RUN)
