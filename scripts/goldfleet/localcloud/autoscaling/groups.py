"""API actions on groups: create, update, delete, describe, sizes, processes, tags, target groups, activities."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from goldfleet.localcloud.autoscaling import answers, requests
from goldfleet.localcloud.autoscaling.account import Actions, action
from goldfleet.localcloud.autoscaling.answers import Record, Tag
from goldfleet.scaling import hooks, processes, sizes, targets
from goldfleet.scaling.model import LaunchSource
from goldfleet.scaling.refusals import LaunchFailedError, validation_error

MOST_GROUPS = 100
MOST_ACTIVITIES = 100


class GroupActions(Actions):
    """Actions that name a group."""

    @action
    def create_auto_scaling_group(self) -> None:
        """Make a group; Auto Scaling launches its instances at once."""
        parameters = self._get_params()
        requests.refuse_unsupported(parameters)
        spec = requests.group_spec(parameters, self.account.subnets.zones(parameters))
        spec = replace(spec, source=self._whole(spec.source))
        self.account.check_target_groups(spec.target_group_arns)
        record = Record(
            vpc_zone_identifier=parameters.get("VPCZoneIdentifier") or ",".join(zone.subnet_id for zone in spec.zones),
            health_check_type=parameters.get("HealthCheckType") or "EC2",
            tags={one["Key"]: _tag(one) for one in parameters.get("Tags") or []},
            capacity_rebalance=parameters.get("CapacityRebalance"),
            max_instance_lifetime=parameters.get("MaxInstanceLifetime"),
        )
        self.account.scaling.create_group(spec)
        self.account.records[spec.name] = record
        for hook in parameters.get("LifecycleHookSpecificationList") or []:
            hooks.put_hook(self.group(), requests.hook(hook, None))

    @action
    def update_auto_scaling_group(self) -> None:
        """Change a group; its members keep what they were launched with."""
        parameters, group = self._get_params(), self.group()
        requests.refuse_unsupported(parameters)
        update = requests.group_update(parameters, self.account.subnets.zones(parameters))
        if update.source is not None:
            source = self._whole(update.source)
            self._resolve(source)
            update = replace(update, source=source)
        sizes.update_group(group, update)
        record = self.record(group.spec.name)
        if update.zones is not None:
            record.vpc_zone_identifier = parameters.get("VPCZoneIdentifier") or ",".join(
                zone.subnet_id for zone in update.zones
            )
        record.health_check_type = parameters.get("HealthCheckType") or record.health_check_type
        if parameters.get("CapacityRebalance") is not None:
            record.capacity_rebalance = parameters["CapacityRebalance"]
        record.max_instance_lifetime = parameters.get("MaxInstanceLifetime") or record.max_instance_lifetime

    @action
    def delete_auto_scaling_group(self) -> None:
        """Delete a group; with ForceDelete its instances go first."""
        name = self._get_param("AutoScalingGroupName")
        self.account.scaling.delete_group(name, is_forced=self.flag("ForceDelete"))
        policies = self.autoscaling_backend.policies
        for policy in [key for key, policy in policies.items() if policy.auto_scaling_group_name == name]:
            del policies[policy]

    @action
    def describe_auto_scaling_groups(self) -> dict[str, Any]:
        """Return groups, by name; unknown names are left out."""
        names, filters = self._get_param("AutoScalingGroupNames") or [], self._get_param("Filters") or []
        groups = [
            group
            for name, group in sorted(self.account.scaling.groups.items())
            if (not names or name in names) and has_tags(self.record(name), filters)
        ]
        part, rest = self.page(groups, 50, MOST_GROUPS)
        described = [answers.describe_group(group, self.record(group.spec.name)) for group in part]
        return {"AutoScalingGroups": described, **rest}

    @action
    def set_desired_capacity(self) -> None:
        """Set the desired capacity."""
        sizes.set_desired_capacity(
            self.group(), int(self._get_param("DesiredCapacity")), honors_cooldown=self.flag("HonorCooldown")
        )

    @action
    def describe_scaling_activities(self) -> dict[str, Any]:
        """Return scaling activities, the newest first."""
        name, wanted = self._get_param("AutoScalingGroupName"), self._get_param("ActivityIds") or []
        groups = [self.account.scaling.groups[name]] if name in self.account.scaling.groups else []
        if name and not groups:
            raise validation_error(f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")
        found = [
            answers.describe_activity(group.spec.name, activity)
            for group in groups or self.account.scaling.groups.values()
            for activity in group.journal.newest_first()
            if not wanted or activity.activity_id in wanted
        ]
        found.sort(key=lambda one: one["StartTime"], reverse=True)
        part, rest = self.page(found, 100, MOST_ACTIVITIES)
        return {"Activities": part, **rest}

    @action
    def suspend_processes(self) -> None:
        """Suspend processes, all where none is named."""
        processes.suspend(self.group(), self._get_param("ScalingProcesses") or [])

    @action
    def resume_processes(self) -> None:
        """Resume processes, all where none is named."""
        processes.resume(self.group(), self._get_param("ScalingProcesses") or [])

    @action
    def create_or_update_tags(self) -> None:
        """Set tags of groups; all of them exist, or nothing changes."""
        tags = self._get_param("Tags") or []
        for one in tags:
            self.account.scaling.group(one.get("ResourceId") or "")
        for one in tags:
            self.record(one["ResourceId"]).tags[one["Key"]] = _tag(one)

    @action
    def delete_tags(self) -> None:
        """Remove tags of groups; those that are not there are no error. A value that is given must be the tag's."""
        for one in self._get_param("Tags") or []:
            tags = self.record(self.account.scaling.group(one.get("ResourceId") or "").spec.name).tags
            tag = tags.get(one["Key"])
            if tag is not None and one.get("Value") in (None, "", tag.value):
                del tags[one["Key"]]

    @action
    def describe_tags(self) -> dict[str, Any]:
        """Return the tags of all groups, as the filters want them."""
        wanted = {one["Name"]: one["Values"] for one in self._get_param("Filters") or []}
        found = [
            tag
            for name in sorted(self.account.scaling.groups)
            for tag in answers.describe_tags(name, self.record(name).tags)
            if is_wanted_tag(tag, wanted)
        ]
        part, rest = self.page(found, 50, 100)
        return {"Tags": part, **rest}

    @action
    def attach_load_balancer_target_groups(self) -> None:
        """Attach target groups and register the members in service."""
        arns = self._get_param("TargetGroupARNs") or []
        self.account.check_target_groups(arns)
        targets.attach_target_groups(self.group(), arns)

    @action
    def detach_load_balancer_target_groups(self) -> None:
        """Detach target groups and deregister the members."""
        targets.detach_target_groups(self.group(), self._get_param("TargetGroupARNs") or [])

    @action
    def describe_load_balancer_target_groups(self) -> dict[str, Any]:
        """Return the target groups of a group with their states."""
        states = targets.target_group_states(self.group())
        return {
            "LoadBalancerTargetGroups": [
                {"LoadBalancerTargetGroupARN": arn, "State": state} for arn, state in states.items()
            ]
        }

    @action
    def describe_traffic_sources(self) -> dict[str, Any]:
        """Return the target groups of a group as traffic sources."""
        states = targets.target_group_states(self.group())
        return {
            "TrafficSources": [
                {"TrafficSource": arn, "Identifier": arn, "Type": "elbv2", "State": state}
                for arn, state in states.items()
            ]
        }

    @action
    def enable_metrics_collection(self) -> None:
        """Remember which metrics are wanted; the local cloud collects none."""
        record = self.record(self.group().spec.name)
        record.metrics = tuple(dict.fromkeys([*record.metrics, *(self._get_param("Metrics") or [])]))

    @action
    def disable_metrics_collection(self) -> None:
        """Forget metrics, all where none is named."""
        record, gone = self.record(self.group().spec.name), self._get_param("Metrics") or []
        record.metrics = tuple(metric for metric in record.metrics if gone and metric not in gone)

    @action
    def describe_instance_refreshes(self) -> dict[str, Any]:
        """Return none: instance refreshes are refused by the gate."""
        self.group()
        return {"InstanceRefreshes": []}

    @action
    def describe_warm_pool(self) -> dict[str, Any]:
        """Return an empty pool: warm pools are refused by the gate."""
        self.group()
        return {"Instances": []}

    @action
    def describe_notification_configurations(self) -> dict[str, Any]:
        """Return none: notifications are refused by the gate."""
        return {"NotificationConfigurations": []}

    @action
    def describe_account_limits(self) -> dict[str, Any]:
        """Return AWS's default quotas and what is used of them."""
        return {
            "MaxNumberOfAutoScalingGroups": 500,
            "MaxNumberOfLaunchConfigurations": 200,
            "NumberOfAutoScalingGroups": len(self.account.scaling.groups),
            "NumberOfLaunchConfigurations": len(self.autoscaling_backend.launch_configurations),
        }

    def _whole(self, source: LaunchSource) -> LaunchSource:
        """Return a source with both the id and the name of its template, as AWS describes it."""
        if not (source.launch_template_id or source.launch_template_name) or source.launch_configuration_name:
            return source
        template = self.account.launches.template(source)
        return replace(source, launch_template_id=template.id, launch_template_name=template.name)

    def _resolve(self, source: LaunchSource) -> None:
        try:
            self.account.launches.resolve(source)
        except LaunchFailedError as failure:
            raise validation_error(str(failure)) from failure


def has_tags(record: Record, filters: Iterable[dict[str, Any]]) -> bool:
    """Say whether a group's tags match all filters (tag-key, tag-value, tag:KEY); others are refused."""
    return all(_matches(record.tags, one["Name"], one.get("Values") or []) for one in filters)


def _matches(tags: dict[str, Tag], name: str, values: list[str]) -> bool:
    if name == "tag-key":
        return any(key in values for key in tags)
    if name == "tag-value":
        return any(tag.value in values for tag in tags.values())
    if name.startswith("tag:"):
        tag = tags.get(name.removeprefix("tag:"))
        return tag is not None and tag.value in values
    raise validation_error(
        f"Filter type {name} is not correct. Allowed Filter types are: tag-key, tag-value, tag:<key>"
    )


def is_wanted_tag(tag: dict[str, Any], wanted: dict[str, list[str]]) -> bool:
    """Say whether a tag is what the filters of DescribeTags want."""
    seen = {
        "auto-scaling-group": tag["ResourceId"],
        "key": tag["Key"],
        "value": tag["Value"],
        "propagate-at-launch": str(tag["PropagateAtLaunch"]).lower(),
    }
    return all(seen.get(name) in [value.lower() if name.startswith("prop") else value for value in values]
               for name, values in wanted.items())  # fmt: skip


def _tag(given: dict[str, Any]) -> Tag:
    return Tag(given.get("Value") or "", bool(given.get("PropagateAtLaunch")))
