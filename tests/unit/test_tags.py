from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfleet import tags
from goldfleet.errors import UsageError

NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
IMAGES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)


def test_run_id_is_utc_time_and_random_digits() -> None:
    paris = timezone(timedelta(hours=1))
    assert tags.build_run_id(datetime(2026, 11, 23, 15, 15, 30, tzinfo=paris), "a1b2c3") == "20261123-141530-a1b2c3"


@given(IMAGES)
def test_image_is_read_back_from_the_name_of_its_ami(image: str) -> None:
    assert tags.image_of_ami_name(tags.ami_name(image, "20261123-141530-a1b2c3")) == image


@pytest.mark.parametrize("name", ["debian-12", "goldfleet-app", "goldfleet-app-20261123-141530-a1b2c3-copy", ""])
def test_foreign_ami_name_has_no_image(name: str) -> None:
    assert tags.image_of_ami_name(name) == ""


def test_time_survives_a_round_trip() -> None:
    assert tags.parse_time(tags.format_time(NOON)) == NOON


@pytest.mark.parametrize("text", ["", "failed", "no", "2026-11-23T12:00:00"], ids=["empty", "word", "no", "no zone"])
def test_what_is_no_time_is_not_verified(text: str) -> None:
    assert tags.parse_time(text) is None
    assert not tags.is_verified({tags.VERIFIED: text})


def test_time_of_verification_is_verified() -> None:
    assert tags.is_verified({tags.VERIFIED: "2026-11-23T12:00:00Z"})


@pytest.mark.parametrize(
    ("resource_tags", "temporary"),
    [
        (tags.temporary_tags("app", "20261123-141530-a1b2c3", "2026-11-23T16:15:30Z"), True),
        ({tags.RUN: "20261123-141530-a1b2c3"}, False),
        ({tags.EXPIRES: "2026-11-23T16:15:30Z"}, False),
        ({tags.RUN: "*", tags.EXPIRES: "2026-11-23T16:15:30Z"}, False),
        ({}, False),
    ],
    ids=["both tags", "run only", "expiry only", "run is no run id", "untagged"],
)
def test_only_things_with_both_tags_are_temporary(resource_tags: dict[str, str], temporary: bool) -> None:
    assert tags.is_temporary(resource_tags) is temporary


@pytest.mark.parametrize("text", ["nonsense", "", "20261123-141530-a1b2c3 ", "*"])
def test_what_is_no_run_id_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="is no run id: wanted one such as"):
        tags.check_run_id(text)


@pytest.mark.parametrize(
    ("group", "lease"),
    [
        ("web", "group-web"),
        ("Web.2-a", "group-Web.2-a"),
        ("web servers/eu", "group-web_20servers_2feu"),
        ("web_1", "group-web_5f1"),
        ("wéb", "group-w_c3_a9b"),
    ],
)
def test_lease_of_a_group_has_only_characters_that_a_parameter_may_have(group: str, lease: str) -> None:
    assert tags.group_lease(group) == lease


def test_lease_of_a_group_with_a_long_name_is_its_digest() -> None:
    lease = tags.group_lease("é" * 255)
    assert len(lease) < 100
    assert lease != tags.group_lease("é" * 254)
