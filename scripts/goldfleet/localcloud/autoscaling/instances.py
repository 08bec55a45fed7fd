"""API actions on instances of groups, on lifecycle hooks and on scheduled actions."""

from typing import Any

from goldfleet.localcloud.autoscaling import answers, requests
from goldfleet.localcloud.autoscaling.account import Actions, action
from goldfleet.scaling import health, hooks, membership, schedule
from goldfleet.scaling.model import ActionResult as LifecycleResult
from goldfleet.scaling.model import Activity
from goldfleet.scaling.refusals import CallRefusedError, validation_error

MOST_INSTANCES = 50


class InstanceActions(Actions):
    """Actions that name instances."""

    @action
    def describe_auto_scaling_instances(self) -> dict[str, Any]:
        """Return members of all groups, at most 50 at a time."""
        wanted = self._get_param("InstanceIds") or []
        if len(wanted) > MOST_INSTANCES:
            raise validation_error(f"The number of instance IDs must not exceed {MOST_INSTANCES}.")
        found = [
            answers.describe_instance_details(group, member)
            for group in self.account.scaling.groups.values()
            for member in group.roster
            if not wanted or member.instance_id in wanted
        ]
        part, rest = self.page(found, 50, MOST_INSTANCES)
        return {"AutoScalingInstances": part, **rest}

    @action
    def terminate_instance_in_auto_scaling_group(self) -> dict[str, Any]:
        """Terminate a member."""
        group, member = self.account.scaling.member(self._get_param("InstanceId") or "")
        activity = membership.terminate_instance(group, member, decrements=self.flag("ShouldDecrementDesiredCapacity"))
        return {"Activity": answers.describe_activity(group.spec.name, activity)}

    @action
    def enter_standby(self) -> dict[str, Any]:
        """Put members into Standby."""
        return self._activities(
            membership.enter_standby(self.group(), self._ids(), decrements=self.flag("ShouldDecrementDesiredCapacity"))
        )

    @action
    def exit_standby(self) -> dict[str, Any]:
        """Put members back into service."""
        return self._activities(membership.exit_standby(self.group(), self._ids()))

    @action
    def detach_instances(self) -> dict[str, Any]:
        """Take members out of the group; they run on."""
        return self._activities(
            membership.detach(self.group(), self._ids(), decrements=self.flag("ShouldDecrementDesiredCapacity"))
        )

    @action
    def attach_instances(self) -> None:
        """Take running instances into the group."""
        self.account.scaling.attach(self.group().spec.name, self._ids())

    @action
    def set_instance_protection(self) -> None:
        """Protect members from scale-in, or no longer."""
        membership.set_protection(self.group(), self._ids(), is_protected=self.flag("ProtectedFromScaleIn"))

    @action
    def set_instance_health(self) -> None:
        """Set a member's health; the grace period counts unless the call says otherwise."""
        group, member = self.account.scaling.member(self._get_param("InstanceId") or "")
        respects = self._get_param("ShouldRespectGracePeriod")
        health.set_instance_health(
            group, member, self._get_param("HealthStatus") or "", respects_grace=respects is None or bool(respects)
        )

    def _ids(self) -> list[str]:
        return list(self._get_param("InstanceIds") or [])

    def _activities(self, activities: list[Activity]) -> dict[str, Any]:
        name = self._get_param("AutoScalingGroupName")
        return {"Activities": [answers.describe_activity(name, activity) for activity in activities]}


class HookActions(Actions):
    """Actions on lifecycle hooks."""

    @action
    def put_lifecycle_hook(self) -> None:
        """Add or change a hook."""
        group, parameters = self.group(), self._get_params()
        hooks.put_hook(group, requests.hook(parameters, group.hooks.get(parameters["LifecycleHookName"])))

    @action
    def delete_lifecycle_hook(self) -> None:
        """Delete a hook."""
        hooks.delete_hook(self.group(), self._get_param("LifecycleHookName") or "")

    @action
    def describe_lifecycle_hooks(self) -> dict[str, Any]:
        """Return a group's hooks."""
        group, wanted = self.group(), self._get_param("LifecycleHookNames") or []
        found = [
            answers.describe_hook(group.spec.name, hook)
            for hook in group.hooks.values()
            if hook.name in wanted or not wanted
        ]
        return {"LifecycleHooks": found}

    @action
    def complete_lifecycle_action(self) -> None:
        """End a wait."""
        given = self._get_param("LifecycleActionResult") or ""
        if given not in list(LifecycleResult):
            raise validation_error(f"{given} is not a valid LifecycleActionResult. Use CONTINUE or ABANDON.")
        hooks.complete_action(self.group(), self._hook(), LifecycleResult(given), *self._whose())

    @action
    def record_lifecycle_action_heartbeat(self) -> None:
        """Prolong a wait."""
        hooks.record_heartbeat(self.group(), self._hook(), *self._whose())

    def _hook(self) -> str:
        return self._get_param("LifecycleHookName") or ""

    def _whose(self) -> tuple[str, str]:
        """Return the instance id and the token of the action that the call means; one of them is enough."""
        return self._get_param("InstanceId") or "", self._get_param("LifecycleActionToken") or ""


class ScheduleActions(Actions):
    """Actions on scheduled actions."""

    @action
    def put_scheduled_update_group_action(self) -> None:
        """Add or replace a scheduled action."""
        schedule.put_scheduled_action(self.group(), requests.scheduled_action(self._get_params()))

    @action
    def batch_put_scheduled_update_group_action(self) -> dict[str, Any]:
        """Add or replace several, each on its own account."""
        group, failed = self.group(), []
        for given in self._get_param("ScheduledUpdateGroupActions") or []:
            try:
                schedule.put_scheduled_action(group, requests.scheduled_action(given))
            except CallRefusedError as refusal:
                failed.append(_failure(given["ScheduledActionName"], refusal))
        return {"FailedScheduledUpdateGroupActions": failed}

    @action
    def delete_scheduled_action(self) -> None:
        """Delete a scheduled action."""
        schedule.delete_scheduled_action(self.group(), self._get_param("ScheduledActionName") or "")

    @action
    def batch_delete_scheduled_action(self) -> dict[str, Any]:
        """Delete several, each on its own account."""
        group, failed = self.group(), []
        for name in self._get_param("ScheduledActionNames") or []:
            try:
                schedule.delete_scheduled_action(group, name)
            except CallRefusedError as refusal:
                failed.append(_failure(name, refusal))
        return {"FailedScheduledActions": failed}

    @action
    def describe_scheduled_actions(self) -> dict[str, Any]:
        """Return scheduled actions that have not ended, of one group or of all."""
        name, wanted = self._get_param("AutoScalingGroupName"), self._get_param("ScheduledActionNames") or []
        groups = [self.group()] if name else list(self.account.scaling.groups.values())
        found = []
        for group in groups:
            times = schedule.next_times(group)
            found += [
                answers.describe_scheduled_action(group.spec.name, one, times[one.name])
                for one in group.scheduled_actions.values()
                if not wanted or one.name in wanted
            ]
        part, rest = self.page(found, 50, 100)
        return {"ScheduledUpdateGroupActions": part, **rest}


def _failure(name: str, refusal: CallRefusedError) -> dict[str, str]:
    return {"ScheduledActionName": name, "ErrorCode": refusal.code, "ErrorMessage": refusal.message}
