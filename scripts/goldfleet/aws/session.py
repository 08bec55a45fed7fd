"""One boto3 session, found the standard way (profile, AWS_REGION, AWS_ENDPOINT_URL), whose API calls are counted.

boto3 is imported when the first session is opened, not before: `goldfleet --help` must not wait for it.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from goldfleet import __version__

if TYPE_CHECKING:
    import boto3
    from botocore.config import Config
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_sts import STSClient

CONNECT_TIMEOUT_SECONDS = 10
READ_TIMEOUT_SECONDS = 70
ATTEMPTS = 6
"""How often a call is made at most, the first time included, with growing pauses of up to 20 s in between."""


class CallCounter:
    """Counts API calls by operation; a call that is retried counts once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_operation: dict[str, int] = {}

    def count(self, operation: str) -> None:
        """Count one call."""
        with self._lock:
            self._by_operation[operation] = self._by_operation.get(operation, 0) + 1

    @property
    def total(self) -> int:
        """Return how many calls were made so far."""
        with self._lock:
            return sum(self._by_operation.values())

    def by_operation(self) -> dict[str, int]:
        """Return how often each operation was called so far."""
        with self._lock:
            return dict(self._by_operation)


class AwsSession:
    """Makes clients; all of them share credentials, retries and the counter."""

    def __init__(self, session: "boto3.Session", counter: CallCounter) -> None:
        self._session = session
        self.counter = counter
        session.events.register("before-call.*.*", self._count)

    @property
    def region(self) -> str:
        """Return the region's name, or "" when none is set."""
        return self._session.region_name or ""

    @property
    def profile(self) -> str:
        """Return the profile's name; boto3 calls the unnamed one `default`."""
        return self._session.profile_name

    def ec2(self) -> "EC2Client":
        """Return a client for EC2. Raises UsageError when settings for AWS are wrong."""
        with _usable_settings():
            return self._session.client("ec2", config=_config())

    def autoscaling(self) -> "AutoScalingClient":
        """Return a client for EC2 Auto Scaling. Raises UsageError when settings for AWS are wrong."""
        with _usable_settings():
            return self._session.client("autoscaling", config=_config())

    def elbv2(self) -> "ElasticLoadBalancingv2Client":
        """Return a client for Elastic Load Balancing v2. Raises UsageError when settings for AWS are wrong."""
        with _usable_settings():
            return self._session.client("elbv2", config=_config())

    def ssm(self) -> "SSMClient":
        """Return a client for Systems Manager. Raises UsageError when settings for AWS are wrong."""
        with _usable_settings():
            return self._session.client("ssm", config=_config())

    def sts(self) -> "STSClient":
        """Return a client for the Security Token Service. Raises UsageError when settings for AWS are wrong."""
        with _usable_settings():
            return self._session.client("sts", config=_config())

    def _count(self, model: object, **_: object) -> None:
        self.counter.count(str(getattr(model, "name", "unknown")))


def open_session(profile: str | None = None, region: str | None = None) -> AwsSession:
    """Return a session for the profile and region given, or the ones that the environment and AWS's files name.

    AWS_REGION, which boto3 does not read, comes before AWS_DEFAULT_REGION, which it does.
    Raises UsageError when there is no such profile or no region.
    """
    import boto3  # noqa: PLC0415 - see the module's docstring

    from goldfleet.aws.errors import explained  # noqa: PLC0415 - it imports botocore
    from goldfleet.errors import UsageError  # noqa: PLC0415

    with explained("opening a session"):
        session = boto3.Session(profile_name=profile, region_name=region or os.environ.get("AWS_REGION") or None)
    opened = AwsSession(session, CallCounter())
    if not opened.region:
        raise UsageError("No AWS region is set.", "Set one: --region, AWS_REGION, or the profile's region.")
    return opened


@contextmanager
def _usable_settings() -> Iterator[None]:
    """Turn what boto3 says of wrong settings when it makes a client inside the block into UsageError."""
    from goldfleet.aws.errors import explained  # noqa: PLC0415 - it imports botocore
    from goldfleet.errors import UsageError  # noqa: PLC0415

    try:
        with explained("making a client"):
            yield
    except ValueError as error:
        raise UsageError(
            f"The settings for AWS cannot be used: {str(error).rstrip('.')}.",
            "Check AWS_ENDPOINT_URL (wanted: a URL such as https://ec2.eu-west-1.amazonaws.com), AWS_MAX_ATTEMPTS "
            "(a whole number) and the profile.",
        ) from error


def _config() -> "Config":
    from botocore.config import Config  # noqa: PLC0415 - see the module's docstring

    # botocore's own three attempts end a command at a short disturbance; who sets AWS_MAX_ATTEMPTS decides himself.
    is_told = "AWS_MAX_ATTEMPTS" in os.environ
    return Config(
        retries={"mode": "standard"} if is_told else {"mode": "standard", "total_max_attempts": ATTEMPTS},
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        user_agent_extra=f"goldfleet/{__version__}",
    )
