"""Whatever is called, whatever fails, and however time passes: sizes stay in bounds, nothing is lost, and the group finds rest.

Legal transitions and single registrations are asserted by the roster and the balancer themselves, at every step.
"""

import re
from contextlib import suppress

from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from goldfleet.scaling import balance, health, hooks, membership, processes, sizes, targets
from goldfleet.scaling.lifecycle import PENDING_STATES
from goldfleet.scaling.model import ActionResult, GroupUpdate, Hook, Launch, MachineState, Transition, Zone
from goldfleet.scaling.placement import rebalancing_limit
from goldfleet.scaling.refusals import CallRefusedError
from goldfleet.scaling.validation import KNOWN_POLICIES, PROCESSES
from tests.unit.scaling.world import ZONES, Cloud, MachinesThatBoot, in_service

picks = strategies.integers(0, 50)
flags = strategies.booleans()
sizes_wanted = strategies.integers(0, 8)
zone_choices = strategies.lists(strategies.sampled_from(ZONES), min_size=1, max_size=3, unique=True).map(tuple)
waits = strategies.sampled_from([1, 2, 5, 13, 40, 70, 200])


class MachinesThatCountTheGroup(MachinesThatBoot):
    """Refuse, as a failed test, a launch that takes the group over what AWS allows."""

    cloud: Cloud

    def launch(self, launch: Launch, zone: Zone, group_name: str) -> str:
        group = self.cloud.scaling.groups[group_name]
        is_for_balance = group.capacity >= group.spec.desired_capacity
        limit = rebalancing_limit(group.spec.max_size) if is_for_balance else group.spec.max_size
        assert group.capacity < limit, f"launch at {group.capacity} of {limit}"
        return super().launch(launch, zone, group_name)


class AnyFleet(RuleBasedStateMachine):
    """One group under random calls and faults."""

    @initialize(
        minimum=sizes_wanted,
        extra=sizes_wanted,
        room=sizes_wanted,
        zones=zone_choices,
        policy=strategies.sampled_from(KNOWN_POLICIES),
    )
    def create(self, minimum: int, extra: int, room: int, zones: tuple[Zone, ...], policy: str) -> None:
        self.cloud = Cloud()
        machines = MachinesThatCountTheGroup(self.cloud.clock)
        machines.cloud = self.cloud
        object.__setattr__(self.cloud.scaling.world, "machines", machines)
        self.machines = self.cloud.machines = machines
        self.outsiders: set[str] = set()
        self.protected: set[str] = set()
        self.activities_read = 0
        desired = minimum + extra
        self.group = self.cloud.create(
            minimum, desired + room, desired, zones=zones, target_group_arns=("tg",), termination_policies=(policy,),
            health_check_types=frozenset({"EC2", "ELB"}),
        )  # fmt: skip

    def pick(self, number: int) -> str:
        members = list(self.group.roster)
        return members[number % len(members)].instance_id if members else "i-none"

    @rule(desired=sizes_wanted)
    def set_desired_capacity(self, desired: int) -> None:
        with suppress(CallRefusedError):
            sizes.set_desired_capacity(self.group, desired)

    @rule(minimum=sizes_wanted, room=sizes_wanted, zones=zone_choices)
    def update(self, minimum: int, room: int, zones: tuple[Zone, ...]) -> None:
        sizes.update_group(self.group, GroupUpdate(min_size=minimum, max_size=minimum + room, zones=zones))

    @rule(number=picks, decrements=flags)
    def terminate(self, number: int, decrements: bool) -> None:
        with suppress(CallRefusedError):
            membership.terminate_instance(*self.cloud.scaling.member(self.pick(number)), decrements=decrements)

    @rule(number=picks, decrements=flags)
    def enter_standby(self, number: int, decrements: bool) -> None:
        with suppress(CallRefusedError):
            membership.enter_standby(self.group, [self.pick(number)], decrements=decrements)

    @rule(number=picks)
    def exit_standby(self, number: int) -> None:
        with suppress(CallRefusedError):
            membership.exit_standby(self.group, [self.pick(number)])

    @rule(number=picks, decrements=flags)
    def detach(self, number: int, decrements: bool) -> None:
        with suppress(CallRefusedError):
            membership.detach(self.group, [self.pick(number)], decrements=decrements)

    @rule(zone=strategies.sampled_from(ZONES))
    def attach(self, zone: Zone) -> None:
        outsider = self.machines.add(zone.name)
        self.outsiders.add(outsider)
        with suppress(CallRefusedError):
            self.cloud.scaling.attach("web", [outsider])

    @rule(number=picks, is_protected=flags)
    def protect(self, number: int, is_protected: bool) -> None:
        with suppress(CallRefusedError):
            membership.set_protection(self.group, [self.pick(number)], is_protected=is_protected)

    @rule(process=strategies.sampled_from(PROCESSES))
    def suspend(self, process: str) -> None:
        processes.suspend(self.group, [process])

    @rule(process=strategies.sampled_from(PROCESSES))
    def resume(self, process: str) -> None:
        processes.resume(self.group, [process])

    @rule(
        name=strategies.sampled_from("xy"),
        transition=strategies.sampled_from(Transition),
        default=strategies.sampled_from(ActionResult),
    )
    def put_hook(self, name: str, transition: Transition, default: ActionResult) -> None:
        hooks.put_hook(self.group, Hook(name, transition, 30, default))

    @rule(name=strategies.sampled_from("xy"))
    def delete_hook(self, name: str) -> None:
        with suppress(CallRefusedError):
            hooks.delete_hook(self.group, name)

    @rule(name=strategies.sampled_from("xy"), number=picks, result=strategies.sampled_from(ActionResult))
    def complete_action(self, name: str, number: int, result: ActionResult) -> None:
        with suppress(CallRefusedError):
            hooks.complete_action(self.group, name, result, instance_id=self.pick(number))

    @rule(arn=strategies.sampled_from(["tg", "tg-2"]), is_attached=flags)
    def change_target_groups(self, arn: str, is_attached: bool) -> None:
        change = targets.attach_target_groups if is_attached else targets.detach_target_groups
        change(self.group, [arn])

    @rule(number=picks, status=strategies.sampled_from(["Healthy", "Unhealthy"]))
    def set_health(self, number: int, status: str) -> None:
        with suppress(CallRefusedError):
            health.set_instance_health(*self.cloud.scaling.member(self.pick(number)), status)

    @rule(
        number=picks,
        state=strategies.sampled_from([MachineState.STOPPED, MachineState.TERMINATED, MachineState.IMPAIRED]),
    )
    @precondition(lambda self: bool(self.group.roster))
    def break_machine(self, number: int, state: MachineState) -> None:
        self.machines.all[self.pick(number)].fault = state

    @rule(number=picks)
    def break_target(self, number: int) -> None:
        self.cloud.balancer.unhealthy.add(self.pick(number))

    @rule(zones=strategies.sets(strategies.sampled_from([zone.name for zone in ZONES])))
    def use_up_zones(self, zones: set[str]) -> None:
        self.machines.full_zones = zones

    @rule(seconds=waits)
    def pass_time(self, seconds: float) -> None:
        self.cloud.pass_time(seconds)

    @invariant()
    def desired_is_within_bounds(self) -> None:
        spec = self.group.spec
        assert spec.min_size <= spec.desired_capacity <= spec.max_size

    @invariant()
    def sizes_are_right_after_a_tick(self) -> None:
        group = self.group
        self.cloud.scaling.tick()
        surplus = group.capacity - group.spec.desired_capacity
        if balance.can_launch(group):
            assert surplus >= 0
        if group.is_active("Terminate"):
            joining = group.roster.within(*PENDING_STATES)
            kept = sum(member.is_protected for member in [*joining, *in_service(group)])
            assert surplus <= kept + sum(member.is_rebalancing for member in joining)

    @invariant()
    def every_launched_instance_is_here_or_explained(self) -> None:
        members = {member.instance_id for member in self.group.roster}
        ended = {
            activity.description.rpartition(" ")[2]
            for activity in self.group.journal.newest_first()
            if activity.description.startswith(("Terminating EC2 instance: ", "Detaching EC2 instance: "))
            and activity.status_code == "Successful"
        }
        assert set(self.machines.all) - self.outsiders <= members | ended

    @invariant()
    def open_activities_are_those_of_members_under_way(self) -> None:
        assert self.group.journal.open_count == sum(member.activity is not None for member in self.group.roster)

    @invariant()
    def targets_are_members_in_service(self) -> None:
        serving = {member.instance_id for member in in_service(self.group)}
        for registered in self.cloud.balancer.registered.values():
            assert set(registered) <= serving

    @invariant()
    def protected_instances_are_not_scaled_in(self) -> None:
        seen = self.group.journal.newest_first()[::-1]
        for activity in seen[self.activities_read :]:
            assert not self.protected & set(re.findall(r"instance (\S+) was selected for termination", activity.cause))
        self.activities_read = len(seen)
        self.protected = {member.instance_id for member in self.group.roster if member.is_protected}

    def teardown(self) -> None:
        """Let the world heal: the group must reach its desired capacity, and then rest."""
        self.machines.full_zones = set()
        self.cloud.balancer.unhealthy.clear()
        processes.resume(self.group)
        for name in list(self.group.hooks):
            hooks.delete_hook(self.group, name)
        for machine in self.machines.all.values():
            machine.fault = None if machine.fault is MachineState.IMPAIRED else machine.fault
        for member in self.group.roster:
            member.is_protected = False
        self.group.is_settled = False
        self.cloud.pass_time(1000)
        at_rest = [(member.instance_id, member.state) for member in self.group.roster]
        assert len(in_service(self.group)) == self.group.spec.desired_capacity
        self.cloud.pass_time(1000)
        assert [(member.instance_id, member.state) for member in self.group.roster] == at_rest


TestAnyFleet = AnyFleet.TestCase
TestAnyFleet.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
