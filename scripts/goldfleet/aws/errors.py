"""Turns botocore's errors into goldfleet's: a known code becomes a sentence and the next step, an unknown one keeps
operation, code and request id.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as botocore_errors

from goldfleet.errors import AwsError, GoldfleetError, UsageError

_DENIED = ("UnauthorizedOperation", "AccessDenied", "AccessDeniedException")
_BAD_CREDENTIALS = (
    "AuthFailure",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "MissingAuthenticationToken",
)
_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
_THROTTLED = ("RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyUpdates")

_NEXT_STEPS = {
    "VPCIdNotSpecified": "The account has no default VPC here: set subnet_id in goldfleet.toml.",
    "InsufficientInstanceCapacity": "Try again later, or set another instance_type or subnet_id in goldfleet.toml.",
    "InstanceLimitExceeded": "End instances that are not needed, or have the limit raised.",
    "VcpuLimitExceeded": "End instances that are not needed, or have the limit raised.",
    "InvalidParameterCombination": "Check that instance_type and architecture in goldfleet.toml go together.",
    "OptInRequired": "Accept the base AMI's terms, or choose another one. A region that is not enabled for the "
    "account is refused like this too: enable it, or set another one.",
}

_STEPS_OF_A_LAUNCH = {
    "Invalid IAM Instance Profile": "Correct copy_instance_profile in goldfleet.toml. A profile that was just made is known "
    "here some seconds later.",
    "security group": "Check copy_security_group_ids in goldfleet.toml: groups of the VPC that subnet_id is in, the default "
    "VPC without one.",
}
"""What RunInstances is refused for under a code that says little, by words of AWS's text."""

_USAGE: tuple[tuple[tuple[type[Exception], ...], str, str], ...] = (
    (
        (botocore_errors.NoCredentialsError,),
        "No AWS credentials were found",
        'Set a profile (--profile or AWS_PROFILE), or use the local cloud: eval "$(goldfleet local env)".',
    ),
    (
        (botocore_errors.PartialCredentialsError,),
        "The AWS credentials are incomplete: {}",
        "Set what is missing, or unset the rest and set a profile (--profile or AWS_PROFILE).",
    ),
    (
        (botocore_errors.NoRegionError,),
        "No AWS region is set",
        "Set one: --region, AWS_REGION, or the profile's region.",
    ),
    (
        (botocore_errors.InvalidRegionError,),
        "The AWS region is wrong: {}",
        "Set one such as eu-west-1: --region, AWS_REGION, or the profile's region.",
    ),
    ((botocore_errors.ConfigParseError,), "{}", "Mend AWS's configuration file."),
    ((botocore_errors.ProfileNotFound,), "{}", "Check --profile or AWS_PROFILE."),
    (
        (botocore_errors.TokenRetrievalError, botocore_errors.UnauthorizedSSOTokenError),
        "The AWS login is not valid: {}",
        "Log in again, then run again.",
    ),
)
"""botocore's errors that the user's settings cause, a sentence with the place of botocore's own text, the next step."""


class ThingIsGoneError(AwsError):
    """What the call was about does not exist (any more)."""


class ThingInUseError(AwsError):
    """What the call wants to remove is still used by something."""


class ThingExistsError(AwsError):
    """What the call wants to make exists already."""


_CLASSES: tuple[tuple[type[AwsError], tuple[str, ...]], ...] = (
    (
        ThingIsGoneError,
        (
            "InvalidInstanceID.NotFound",
            "InvalidInstanceID.Malformed",
            "InvalidAMIID.NotFound",
            "InvalidAMIID.Malformed",
            "InvalidAMIID.Unavailable",
            "InvalidSnapshot.NotFound",
            "InvalidGroup.NotFound",
            "InvalidGroupId.Malformed",
            "InvalidKeyPair.NotFound",
            "InvalidLaunchTemplateId.Malformed",
            "InvalidLaunchTemplateId.NotFound",
            "InvalidLaunchTemplateId.VersionNotFound",
            "InvalidInstanceId",
            "InvocationDoesNotExist",
            "ParameterNotFound",
            "ParameterVersionNotFound",
        ),
    ),
    (ThingInUseError, ("DependencyViolation", "InvalidSnapshot.InUse", "ResourceInUse", "InvalidGroup.InUse")),
    (
        ThingExistsError,
        (
            "ParameterAlreadyExists",
            "InvalidGroup.Duplicate",
            "InvalidKeyPair.Duplicate",
            "InvalidPermission.Duplicate",
            "AlreadyExists",
        ),
    ),
)


@contextmanager
def explained(operation: str, subject: str = "", *, permissions: str = "") -> Iterator[None]:
    """Turn an error of botocore inside the block into ours; `subject` is what the call is about, `permissions` what it needs.

    Raises UsageError when credentials or region are missing or wrong, ThingIsGoneError, ThingInUseError and
    ThingExistsError for what their names say, AwsError for all else.
    """
    try:
        yield
    except botocore_errors.ClientError as error:
        raise _from_client_error(error, operation, subject, permissions) from error
    except (botocore_errors.BotoCoreError, botocore_errors.HTTPClientError) as error:
        raise from_botocore_error(error, operation, subject) from error


def _from_client_error(
    error: botocore_errors.ClientError, operation: str, subject: str, permissions: str
) -> GoldfleetError:
    code = error.response.get("Error", {}).get("Code", "")
    text = error.response.get("Error", {}).get("Message", "") or str(error)
    request_id = error.response.get("ResponseMetadata", {}).get("RequestId", "")
    if code in _EXPIRED:
        return UsageError(f"The AWS credentials have expired ({operation}: {code}).", "Log in again, then run again.")
    if code in _BAD_CREDENTIALS:
        return UsageError(f"AWS does not accept the credentials ({operation}: {code}).", "Check profile and keys.")
    about = f" of {subject}" if subject else ""
    message = f"AWS refused {operation}{about}: {text.rstrip('.')} ({code}, request {request_id or 'unknown'})."
    made = next((made for made, codes in _CLASSES if code in codes), AwsError)
    next_step = _next_step(code, text, operation, permissions)
    return made(message, next_step, operation=operation, code=code, request_id=request_id)


def _next_step(code: str, text: str, operation: str, permissions: str) -> str:
    if code in _DENIED:
        return f"Allow {permissions or f'the action of {operation}'} to these credentials."
    if code in _THROTTLED:
        return "Too many calls in this account at once; run again in a few minutes."
    if code in _NEXT_STEPS or operation != "RunInstances":
        return _NEXT_STEPS.get(code, "")
    return next((step for words, step in _STEPS_OF_A_LAUNCH.items() if words.lower() in text.lower()), "")


def from_botocore_error(error: Exception, operation: str, subject: str = "") -> GoldfleetError:
    """Return our error for one that botocore raised without an answer from AWS."""
    text, call = str(error).rstrip("."), f"{operation} of {subject}" if subject else operation
    for kinds, sentence, next_step in _USAGE:
        if isinstance(error, kinds):
            return UsageError(f"{sentence.format(text)}.", next_step)
    if isinstance(error, botocore_errors.HTTPClientError | botocore_errors.ConnectionError):
        return AwsError(
            f"AWS could not be reached ({call}): {text}.",
            "Check the network, the region and AWS_ENDPOINT_URL (goldfleet local status, for the local cloud).",
            operation=operation,
        )
    return AwsError(f"{call} failed: {text}.", operation=operation)
