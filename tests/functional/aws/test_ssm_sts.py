from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.stub import Stubber

from goldfleet.aws.model import Parameter
from goldfleet.aws.ssm import Ssm
from goldfleet.aws.sts import Sts

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient


@pytest.fixture
def stubs(ssm_client: "SSMClient") -> Iterator[Stubber]:
    with Stubber(ssm_client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def ssm(stubs: Stubber, ssm_client: "SSMClient") -> Ssm:
    return Ssm(ssm_client)


def answer(name: str, value: str = "v", version: int = 3) -> dict[str, object]:
    return {"Name": name, "Value": value, "Version": version}


@pytest.mark.parametrize("name", ["/a", "/a:2"], ids=["newest", "older version"])
def test_parameter_is_read(stubs: Stubber, ssm: Ssm, name: str) -> None:
    stubs.add_response("get_parameter", {"Parameter": answer("/a")}, {"Name": name})
    assert ssm.get(name) == Parameter("/a", "v", 3)


@pytest.mark.parametrize("code", ["ParameterNotFound", "ParameterVersionNotFound"])
def test_missing_parameter_is_none(stubs: Stubber, ssm: Ssm, code: str) -> None:
    stubs.add_client_error("get_parameter", code)
    assert ssm.get("/a") is None


def test_several_parameters_are_one_call(stubs: Stubber, ssm: Ssm) -> None:
    stubs.add_response("get_parameters", {"Parameters": [answer("/a")]}, {"Names": ["/a", "/b"]})
    assert ssm.get_many(["/a", "/b"]) == {"/a": Parameter("/a", "v", 3)}


def test_more_than_ten_parameters_are_a_bug(ssm: Ssm) -> None:
    with pytest.raises(ValueError, match="10 names, not 11"):
        ssm.get_many([str(number) for number in range(11)])


def test_parameters_below_a_path_are_read_page_by_page(stubs: Stubber, ssm: Ssm) -> None:
    stubs.add_response("get_parameters_by_path", {"Parameters": [answer("/p/a")], "NextToken": "t"}, {"Path": "/p"})
    stubs.add_response("get_parameters_by_path", {"Parameters": [answer("/p/b")]}, {"Path": "/p", "NextToken": "t"})
    assert set(ssm.get_below("/p")) == {"/p/a", "/p/b"}


def test_creation_never_overwrites(stubs: Stubber, ssm: Ssm) -> None:
    wanted = {"Name": "/a", "Value": "v", "Type": "String", "Overwrite": False}
    stubs.add_response("put_parameter", {"Version": 1}, wanted)
    assert ssm.create("/a", "v") == 1
    stubs.add_client_error("put_parameter", "ParameterAlreadyExists", expected_params=wanted)
    assert ssm.create("/a", "v") is None


def test_write_returns_its_version(stubs: Stubber, ssm: Ssm) -> None:
    wanted = {"Name": "/a", "Value": "v", "Type": "String", "Overwrite": True}
    stubs.add_response("put_parameter", {"Version": 7}, wanted)
    assert ssm.put("/a", "v") == 7


def test_caller_is_named(session: boto3.Session) -> None:
    client = session.client("sts")
    with Stubber(client) as stubber:
        stubber.add_response("get_caller_identity", {"Arn": "arn:aws:iam::1:user/ann"}, {})
        assert Sts(client).caller_arn() == "arn:aws:iam::1:user/ann"
        stubber.assert_no_pending_responses()
