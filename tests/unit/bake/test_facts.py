import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfleet.bake.facts import DIGEST_LENGTH, decode_facts, digests_of, encode_facts, is_secret, shorten, shown_of
from goldfleet.bake.model import CheckCounts, Component, Facts

NAMES = st.text(min_size=1, max_size=20)


def facts_of(digests: dict[str, str], shown: dict[str, str]) -> Facts:
    return Facts(
        image="app",
        image_id="ami-00000001",
        run="20261123-141530-a1b2c3",
        fingerprint="f" * 64,
        source_ami="ami-00000002",
        commit="c" * 40 + "-dirty",
        verified_at="2026-11-23T14:20:30Z",
        checks=CheckCounts(57, 0, 1),
        digests=digests,
        shown=shown,
    )


SMALL = facts_of({"role web_stack": "0123456789ab"}, {"variable x": "'{{ y }}'"})


def test_facts_survive_a_round_trip() -> None:
    assert decode_facts(encode_facts(SMALL)) == SMALL


def test_no_reference_of_parameter_store_is_ever_written() -> None:
    assert "{{" not in encode_facts(SMALL)


@given(st.dictionaries(NAMES, st.text(max_size=80), max_size=60))
def test_facts_always_fit_and_keep_what_identifies_the_image(shown: dict[str, str]) -> None:
    facts = facts_of(dict.fromkeys(shown, "0123456789ab"), shown)
    text = encode_facts(facts)
    assert len(text.encode()) <= 4096
    decoded = decode_facts(text)
    assert decoded is not None
    assert (decoded.image_id, decoded.fingerprint, decoded.checks) == (facts.image_id, facts.fingerprint, facts.checks)


def test_values_are_cut_before_digests() -> None:
    shown = {f"variable number_{number}": "v" * 80 for number in range(60)}
    decoded = decode_facts(encode_facts(facts_of(dict.fromkeys(shown, "0123456789ab"), shown)))
    assert decoded is not None
    assert decoded.digests == dict.fromkeys(shown, "0123456789ab")
    assert all(len(text) < 80 for text in decoded.shown.values())


def test_inputs_are_dropped_when_even_digests_do_not_fit() -> None:
    digests = {f"variable number_{number}": "0123456789ab" for number in range(200)}
    decoded = decode_facts(encode_facts(facts_of(digests, {})))
    assert decoded is not None
    assert decoded.digests == {}


@pytest.mark.parametrize("text", ["", "x", "{}", "[]", '{"format": 2}', '{"format": 1}', "null"])
def test_foreign_text_is_no_facts(text: str) -> None:
    assert decode_facts(text) is None


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("db_password", True),
        ("api_token", True),
        ("TLS_PRIVATE_KEY", True),
        ("aws_secret", True),
        ("web_stack_domain", False),
        ("base_ssh_authorized_keys", False),
    ],
)
def test_names_of_secrets_are_recognised(name: str, secret: bool) -> None:
    assert is_secret(name) is secret


def test_components_are_kept_short() -> None:
    components = (Component("role a", "d" * 64), Component("variable b", "e" * 64, "x" * 100))
    assert digests_of(components) == {"role a": "d" * DIGEST_LENGTH, "variable b": "e" * DIGEST_LENGTH}
    assert shown_of(components) == {"variable b": "x" * 79 + "…"}


@given(st.text(), st.integers(1, 50))
def test_shortened_text_is_never_longer(text: str, length: int) -> None:
    assert len(shorten(text, length)) <= length
