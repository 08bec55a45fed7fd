import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from goldfleet.bake.fingerprint import digest_files, digest_value, fingerprint
from goldfleet.bake.model import Component, FileDigest

FILES = st.lists(
    st.builds(FileDigest, st.text(min_size=1, max_size=8), st.booleans(), st.text("0123456789abcdef", max_size=8)),
    min_size=1,
    max_size=6,
    unique_by=lambda file: file.path,
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
COMPONENTS = st.lists(
    st.builds(Component, st.text(min_size=1, max_size=8), st.text("0123456789abcdef", max_size=8)),
    min_size=1,
    max_size=6,
    unique_by=lambda component: component.name,
)


@given(FILES.flatmap(lambda files: st.tuples(st.just(files), st.permutations(files))))
def test_order_of_files_does_not_count(both: tuple[list[FileDigest], list[FileDigest]]) -> None:
    files, shuffled = both
    assert digest_files(files) == digest_files(shuffled)


@given(FILES, st.data())
def test_each_property_of_each_file_counts(files: list[FileDigest], data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(files) - 1))
    old = files[number]
    for changed in (
        FileDigest(old.path + "x", old.is_executable, old.sha256),
        FileDigest(old.path, not old.is_executable, old.sha256),
        FileDigest(old.path, old.is_executable, old.sha256 + "0"),
    ):
        assert digest_files([*files[:number], changed, *files[number + 1 :]]) != digest_files(files)


@given(FILES)
def test_a_file_that_is_gone_counts(files: list[FileDigest]) -> None:
    assert digest_files(files[1:]) != digest_files(files)


@given(VALUES, VALUES)
def test_values_digest_alike_exactly_when_their_json_is_alike(one: JsonValue, other: JsonValue) -> None:
    alike = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (digest_value(one) == digest_value(other)) is alike


@pytest.mark.parametrize(("one", "other"), [(4, "4"), (1, True), (0, False), (1, 1.0), (None, ""), ([], {})])
def test_values_of_different_types_differ(one: JsonValue, other: JsonValue) -> None:
    assert digest_value(one) != digest_value(other)


def test_order_of_keys_does_not_count() -> None:
    assert digest_value({"a": 1, "b": [2]}) == digest_value({"b": [2], "a": 1})


@given(COMPONENTS)
def test_order_of_components_does_not_count_but_each_of_them_does(components: list[Component]) -> None:
    whole = fingerprint(components)
    assert fingerprint(reversed(components)) == whole
    assert fingerprint(components[1:]) != whole
    first = components[0]
    assert fingerprint([Component(first.name, first.digest + "0"), *components[1:]]) != whole


def test_shown_value_does_not_count() -> None:
    assert fingerprint([Component("a", "1", "x")]) == fingerprint([Component("a", "1", "y")])


def test_two_components_of_one_name_are_a_bug() -> None:
    with pytest.raises(ValueError, match="two components are called 'a'"):
        fingerprint([Component("a", "1"), Component("a", "2")])
