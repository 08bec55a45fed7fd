"""Target health: one call, all targets."""

from typing import TYPE_CHECKING

from botocore.stub import Stubber

from goldfleet.aws.elbv2 import Elbv2
from goldfleet.aws.model import TargetHealth

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client

ARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/0123456789abcdef"


def test_health_of_all_targets_comes_in_one_call(elbv2_client: "ElasticLoadBalancingv2Client") -> None:
    answer = {
        "TargetHealthDescriptions": [
            {"Target": {"Id": "i-1", "Port": 80}, "TargetHealth": {"State": "healthy"}},
            {
                "Target": {"Id": "i-2", "Port": 80},
                "TargetHealth": {"State": "unhealthy", "Reason": "Target.Timeout", "Description": "Request timed out"},
            },
        ]
    }
    with Stubber(elbv2_client) as stubs:
        stubs.add_response("describe_target_health", answer, {"TargetGroupArn": ARN})
        found = Elbv2(elbv2_client).target_health(ARN)
        stubs.assert_no_pending_responses()
    assert found == (
        TargetHealth("i-1", "healthy"),
        TargetHealth("i-2", "unhealthy", "Target.Timeout", "Request timed out"),
    )
