import pytest
from botocore import exceptions as botocore_errors

from goldfleet.aws.errors import ThingExistsError, ThingInUseError, ThingIsGoneError, explained
from goldfleet.errors import AwsError, GoldfleetError, UsageError


def client_error(code: str, message: str = "Because.") -> botocore_errors.ClientError:
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"RequestId": "r-1"}}
    return botocore_errors.ClientError(answer, "RunInstances")  # type: ignore[arg-type]


def explain(error: Exception) -> GoldfleetError:
    with pytest.raises(GoldfleetError) as caught, explained("RunInstances", "ami-1"):
        raise error
    assert caught.value.__cause__ is error
    return caught.value


@pytest.mark.parametrize(
    ("code", "kind", "told"),
    [
        ("ExpiredToken", UsageError, "credentials have expired"),
        ("AuthFailure", UsageError, "does not accept the credentials"),
        (
            "InvalidAMIID.NotFound",
            ThingIsGoneError,
            "AWS refused RunInstances of ami-1: Because (InvalidAMIID.NotFound",
        ),
        ("DependencyViolation", ThingInUseError, "DependencyViolation"),
        ("ParameterAlreadyExists", ThingExistsError, "ParameterAlreadyExists"),
        ("UnauthorizedOperation", AwsError, "Allow the action of RunInstances"),
        ("RequestLimitExceeded", AwsError, "run again in a few minutes"),
        ("VPCIdNotSpecified", AwsError, "set subnet_id in goldfleet.toml"),
        ("InsufficientInstanceCapacity", AwsError, "set another instance_type"),
        ("OptInRequired", AwsError, "Accept the base AMI's terms, or choose another one"),
        ("OptInRequired", AwsError, "A region that is not enabled"),
        ("SomethingNew", AwsError, "AWS refused RunInstances of ami-1: Because (SomethingNew, request r-1)."),
    ],
)
def test_service_code_becomes_a_class_and_a_sentence(code: str, kind: type[GoldfleetError], told: str) -> None:
    error = explain(client_error(code))
    assert type(error) is kind
    assert told in str(error)


def test_unknown_code_keeps_operation_code_and_request() -> None:
    error = explain(client_error("SomethingNew"))
    assert isinstance(error, AwsError)
    assert (error.operation, error.code, error.request_id) == ("RunInstances", "SomethingNew", "r-1")


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (botocore_errors.NoCredentialsError(), UsageError, "No AWS credentials were found"),
        (
            botocore_errors.PartialCredentialsError(provider="env", cred_var="x"),
            UsageError,
            "credentials are incomplete",
        ),
        (botocore_errors.InvalidRegionError(region_name="us_east!"), UsageError, "'us_east!'"),
        (botocore_errors.ConfigParseError(path="/c"), UsageError, "/c"),
        (botocore_errors.NoRegionError(), UsageError, "No AWS region is set"),
        (botocore_errors.ProfileNotFound(profile="ops"), UsageError, "ops"),
        (botocore_errors.EndpointConnectionError(endpoint_url="http://x"), AwsError, "could not be reached"),
        (botocore_errors.ReadTimeoutError(endpoint_url="http://x"), AwsError, "RunInstances"),
        (botocore_errors.ParamValidationError(report="bad"), AwsError, "RunInstances of ami-1 failed"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_error_without_an_answer_is_explained(error: Exception, kind: type[GoldfleetError], told: str) -> None:
    explained_error = explain(error)
    assert type(explained_error) is kind
    assert told in str(explained_error)


def test_error_that_is_not_botocores_passes_through() -> None:
    with pytest.raises(ZeroDivisionError), explained("RunInstances"):
        raise ZeroDivisionError
