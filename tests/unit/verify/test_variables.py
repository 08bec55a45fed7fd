import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfleet.verify.variables import KeptVariables, decode_variables, encode_variables

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def incompressible(length: int) -> str:
    return "".join(random.Random(length).choices("0123456789abcdef", k=length))  # noqa: S311 - no secret


@given(st.dictionaries(st.text(max_size=10), JSON, max_size=5))
def test_variables_survive_a_round_trip(variables: dict[str, object]) -> None:
    assert decode_variables(encode_variables([variables])) == KeptVariables(variables)  # type: ignore[list-item, arg-type]  # JSON by construction


def test_no_reference_of_parameter_store_is_ever_written() -> None:
    assert "{{" not in encode_variables([{"x": "{{ y }}" * 50}])


def test_ten_kilobytes_of_ordinary_variables_fit() -> None:
    variables = {f"web_stack_variable_number_{number}": "/var/www/example.com" for number in range(200)}
    kept = decode_variables(encode_variables([variables]))
    assert kept is not None
    assert kept.is_complete
    assert kept.variables == variables


def test_too_many_variables_are_replaced_by_the_next_set_which_is_not_complete() -> None:
    text = encode_variables([{"x": incompressible(20_000)}, {"y": 1}])
    assert len(text) <= 4096
    assert decode_variables(text) == KeptVariables({"y": 1}, is_complete=False)


def test_nothing_that_fits_is_an_error() -> None:
    with pytest.raises(ValueError, match="do not fit into 4096 bytes"):
        encode_variables([{"x": incompressible(20_000)}])


@pytest.mark.parametrize("text", ["", "x", "eyJ9", "{}", "eJwDAAAAAAE=", encode_variables([{}])[:-4]])
def test_foreign_text_is_no_variables(text: str) -> None:
    assert decode_variables(text) is None
