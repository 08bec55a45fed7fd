"""Elastic Load Balancing (v2): one method an API call, answers as the values of aws/model.py."""

from typing import TYPE_CHECKING

from goldfleet.aws.errors import explained
from goldfleet.aws.model import TargetHealth

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client


class Elbv2:
    """Target groups of one account and region."""

    def __init__(self, client: "ElasticLoadBalancingv2Client") -> None:
        self._client = client

    def target_health(self, target_group_arn: str) -> tuple[TargetHealth, ...]:
        """Return the health of every registered target, in one call whatever their number."""
        with explained("DescribeTargetHealth", target_group_arn):
            answer = self._client.describe_target_health(TargetGroupArn=target_group_arn)
        found = []
        for one in answer["TargetHealthDescriptions"]:
            health = one.get("TargetHealth", {})
            found.append(
                TargetHealth(
                    instance_id=one.get("Target", {}).get("Id", ""),
                    state=health.get("State", ""),
                    reason=health.get("Reason", ""),
                    description=health.get("Description", ""),
                )
            )
        return tuple(found)
