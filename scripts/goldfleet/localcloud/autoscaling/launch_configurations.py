"""API actions on launch configurations and scaling policies: moto keeps them, this adds what AWS refuses and does."""

from typing import Any

from goldfleet.localcloud.autoscaling.account import Actions, action
from goldfleet.scaling import sizes
from goldfleet.scaling.refusals import CallRefusedError, limit_exceeded, validation_error

MOST_CONFIGURATIONS = 200
POLICY_TYPES = ("SimpleScaling", "StepScaling", "TargetTrackingScaling", "PredictiveScaling")


class LaunchConfigurationActions(Actions):
    """Actions on launch configurations."""

    @action
    def create_launch_configuration(self) -> None:
        """Make a launch configuration; its name must be new."""
        name, made = self._get_param("LaunchConfigurationName"), self.autoscaling_backend.launch_configurations
        if name in made:
            raise CallRefusedError(
                "AlreadyExists",
                "Launch Configuration by this name already exists - A launch configuration already exists with the name "
                f"{name}",
            )
        if len(made) >= MOST_CONFIGURATIONS:
            raise limit_exceeded(f"Only {MOST_CONFIGURATIONS} launch configurations are allowed.")
        if not self._get_param("ImageId") or not self._get_param("InstanceType"):
            raise validation_error(
                "Valid requests must contain either the InstanceID parameter or both the ImageId and InstanceType "
                "parameters."
            )
        super().create_launch_configuration()
        configuration = made[name]
        # Detailed monitoring is on, and the public address is the subnet's affair, unless the call says otherwise.
        configuration.instance_monitoring_enabled = self._get_param("InstanceMonitoring.Enabled", True)
        configuration.associate_public_ip_address = self._get_param("AssociatePublicIpAddress")

    @action
    def delete_launch_configuration(self) -> None:
        """Delete a launch configuration that no group names."""
        name = self._get_param("LaunchConfigurationName")
        if name not in self.autoscaling_backend.launch_configurations:
            raise validation_error(f"Launch configuration name not found - Launch configuration {name} not found")
        if name in self.account.scaling.launch_configurations_in_use():
            raise CallRefusedError(
                "ResourceInUse",
                f"Cannot delete launch configuration {name} because it is attached to an AutoScalingGroup",
            )
        self.autoscaling_backend.delete_launch_configuration(name)


class PolicyActions(Actions):
    """Actions on scaling policies. They are kept and described; no alarm of the local cloud sets one off."""

    @action
    def put_scaling_policy(self) -> dict[str, Any]:
        """Keep a policy."""
        self.group()
        kind = self._get_param("PolicyType") or "SimpleScaling"
        if kind not in POLICY_TYPES:
            raise validation_error(f"{kind} is not a valid PolicyType. Use {', '.join(POLICY_TYPES)}.")
        policy = super().put_scaling_policy().result["PolicyArn"]
        return {"PolicyARN": policy, "Alarms": []}

    @action
    def delete_policy(self) -> None:
        """Forget a policy, named or by its ARN."""
        name = self._policy_name()
        if name not in self.autoscaling_backend.policies:
            raise validation_error(f"Policy {name} does not exist.")
        self.autoscaling_backend.delete_policy(name)

    @action
    def execute_policy(self) -> None:
        """Do what a simple policy says, within min and max."""
        name = self._policy_name()
        policy = self.autoscaling_backend.policies.get(name)
        if policy is None:
            raise validation_error(f"Policy {name} does not exist.")
        group = self.account.scaling.group(policy.auto_scaling_group_name)
        if self.flag("HonorCooldown"):
            sizes.check_cooldown(group)
        wanted = adjusted(group.spec.desired_capacity, policy.adjustment_type, policy.scaling_adjustment)
        inside = max(group.spec.min_size, min(group.spec.max_size, wanted))
        sizes.change_desired(group, inside, f"a user request executed policy {name}")

    def _policy_name(self) -> str:
        given = self._get_param("PolicyName") or ""
        return str(given.rpartition("policyName/")[2])


def adjusted(desired: int, adjustment_type: str, adjustment: int | None) -> int:
    """Return what a simple policy makes of a desired capacity.

    A percentage moves by at least 1 and otherwise rounds toward zero. Source: user guide, "Step and simple scaling policies",
    "Scaling adjustment types".
    """
    by = adjustment or 0
    if adjustment_type == "ExactCapacity":
        return by
    if adjustment_type == "ChangeInCapacity":
        return desired + by
    share = desired * by / 100
    if 0 < abs(share) < 1:
        return desired + (1 if share > 0 else -1)
    return desired + int(share)
