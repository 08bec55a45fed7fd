"""What HAProxy's checks saw, in AWS's states, reason codes and descriptions. Pure.

Source: Elastic Load Balancing API reference, TargetHealth; Application Load Balancer user guide, "Target health status" and
"Target health reason codes".
"""

from goldfleet.localcloud.balancer.model import TargetHealth
from goldfleet.localcloud.balancer.statistics import ServerStatistic
from goldfleet.scaling.model import TargetState

HEALTHY = TargetHealth(TargetState.HEALTHY)
REGISTERING = TargetHealth(TargetState.INITIAL, "Elb.RegistrationInProgress", "Target registration is in progress")
CHECKING = TargetHealth(TargetState.INITIAL, "Elb.InitialHealthChecking", "Initial health checks in progress")
DRAINING = TargetHealth(TargetState.DRAINING, "Target.DeregistrationInProgress", "Target deregistration is in progress")
NOT_REGISTERED = TargetHealth(
    TargetState.UNUSED, "Target.NotRegistered", "Target is not registered to the target group"
)
NOT_IN_USE = TargetHealth(
    TargetState.UNUSED, "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"
)
FAILED = TargetHealth(TargetState.UNHEALTHY, "Target.FailedHealthChecks", "Health checks failed")
TIMED_OUT = TargetHealth(TargetState.UNHEALTHY, "Target.Timeout", "Request timed out")
INVALID_STATES = {"stopping": "stopped", "shutting-down": "terminated"}


def invalid_state(instance_state: str) -> TargetHealth:
    """Return the health of a target whose instance is, or is about to be, stopped or terminated."""
    state = INVALID_STATES.get(instance_state, instance_state)
    return TargetHealth(TargetState.UNUSED, "Target.InvalidState", f"Target is in the {state} state")


def unhealthy(statistic: ServerStatistic) -> TargetHealth:
    """Return the health of a target whose last check failed as HAProxy tells."""
    if statistic.check_status == "L7STS":
        description = f"Health checks failed with these codes: [{statistic.check_code}]"
        return TargetHealth(TargetState.UNHEALTHY, "Target.ResponseCodeMismatch", description)
    if statistic.check_status.endswith("TOUT"):
        return TIMED_OUT
    return FAILED
