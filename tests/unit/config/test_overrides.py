"""What the command line says in place of goldfleet.toml."""

import pytest

from goldfleet.config.overrides import check_image_name, parse_variables, with_options, with_variables
from goldfleet.config.reading import parse_settings
from goldfleet.config.settings import GroupSettings, ImageSettings
from goldfleet.errors import UsageError

GROUP_TEXT = '[images.app]\n[groups.web]\nsurge = "25%"\nwarm_up_seconds = 5\n'


def test_variables_on_the_command_line_are_json_or_text() -> None:
    pairs = ["a=1", "b=x y", 'c=["y"]', "d=NaN", 'e="4"', "f=true", "g=", "h=a=b"]
    assert parse_variables(pairs) == {
        "a": 1,
        "b": "x y",
        "c": ["y"],
        "d": "NaN",
        "e": "4",
        "f": True,
        "g": "",
        "h": "a=b",
    }


@pytest.mark.parametrize(
    ("pair", "complaint"), [("abc", "seen no '='"), ("a-b=1", "seen the name 'a-b'")], ids=["no =", "name"]
)
def test_wrong_variable_on_the_command_line_is_told(pair: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        parse_variables([pair])


def test_extra_variables_replace_and_leave_the_original_alone() -> None:
    settings = ImageSettings(variables={"a": 1, "b": 2})
    assert with_variables(settings, {"b": 3, "c": 4}).variables == {"a": 1, "b": 3, "c": 4}
    assert settings.variables == {"a": 1, "b": 2}


@pytest.mark.parametrize("name", ["bad name", "", "App", "-app", "a" * 41])
def test_impossible_image_name_is_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError, match="is no name of an image: wanted 1 to 40 small letters"):
        check_image_name(name)


def test_possible_image_name_is_accepted() -> None:
    assert check_image_name("app-2") == "app-2"


def test_option_of_the_command_line_counts_over_the_file() -> None:
    group = parse_settings(GROUP_TEXT, "g.toml").pick_group("web")
    assert with_options(group, {"warm_up_seconds": 0, "ssh_private_key": None}).warm_up_seconds == 0


def test_option_out_of_range_is_named_as_an_option() -> None:
    with pytest.raises(UsageError, match=r"--warm-up: seen -1, wanted 0 or more"):
        with_options(parse_settings(GROUP_TEXT, "g.toml").pick_group("web"), {"warm_up_seconds": -1})


@pytest.mark.parametrize(("text", "surge"), [("1", 1), (" 3 ", 3), ("25%", "25%"), ("025%", "25%")])
def test_command_line_takes_numbers_and_shares(text: str, surge: int | str) -> None:
    assert with_options(GroupSettings(), {"surge": text}).surge == surge


@pytest.mark.parametrize("text", ["", "0", "0%", "-1", "1.5", "x", "%", "12345", "1 %"])
def test_any_other_surge_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"--surge: seen .*, wanted a whole number of instances"):
        with_options(GroupSettings(), {"surge": text})


def test_no_surge_on_the_command_line_leaves_the_settings() -> None:
    assert with_options(GroupSettings(surge="25%"), {"surge": None}) == GroupSettings(surge="25%")
