from goldfleet import tags
from goldfleet.verify.variables import encode_variables
from goldfleet.verify.wanted import Wanted, choose_wanted, parameter_names

NAME = tags.variables_parameter("app", "ami-1")
TODAY = {"x": "today", "password": "secret"}


def test_variables_of_the_launch_image_win_over_todays() -> None:
    values = {NAME: encode_variables([{"x": "then"}])}
    assert choose_wanted("ami-1", ["app"], values, TODAY) == Wanted({"x": "then", "password": "secret"}, is_golden=True)


def test_image_is_found_under_whichever_name_it_has() -> None:
    values = {tags.variables_parameter("other", "ami-1"): encode_variables([{"x": "then"}])}
    wanted = choose_wanted("ami-1", ["app", "other"], values, {})
    assert (wanted.variables, wanted.is_golden) == ({"x": "then"}, True)


def test_unknown_image_is_checked_with_todays_variables_and_that_is_said() -> None:
    wanted = choose_wanted("ami-2", ["app"], {NAME: encode_variables([{}])}, TODAY)
    assert (wanted.variables, wanted.is_golden) == (TODAY, False)
    assert wanted.note.startswith("ami-2 is no published image of app: checked with goldfleet.toml's variables")


def test_variables_that_were_too_large_are_said_to_be_missing() -> None:
    values = {NAME: encode_variables([{"x": [number * 7919 for number in range(4000)]}, {"golden_seal_run": "r"}])}
    wanted = choose_wanted("ami-1", ["app"], values, {"x": "today"})
    assert (wanted.variables, wanted.is_golden) == ({"x": "today", "golden_seal_run": "r"}, True)
    assert "too large to be kept" in wanted.note


def test_parameters_of_every_image_are_asked_for() -> None:
    names = parameter_names(["app", "other"], ["ami-1", "ami-2"])
    assert names == (
        "/goldfleet/images/app/ami-1/variables",
        "/goldfleet/images/other/ami-1/variables",
        "/goldfleet/images/app/ami-2/variables",
        "/goldfleet/images/other/ami-2/variables",
    )
