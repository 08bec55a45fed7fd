"""The Security Token Service: who calls."""

from typing import TYPE_CHECKING

from goldfleet.aws.errors import explained

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient


class Sts:
    """Says whose credentials these are."""

    def __init__(self, client: "STSClient") -> None:
        self._client = client

    def caller_arn(self) -> str:
        """Return the ARN of whoever calls; needs no permission. Source: API reference, GetCallerIdentity."""
        with explained("GetCallerIdentity"):
            return self._client.get_caller_identity()["Arn"]
