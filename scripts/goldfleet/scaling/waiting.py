"""A member's wait for lifecycle hooks: it begins, times out, or ends with CONTINUE or ABANDON.

What follows is the caller's (`Wait`): launching and terminating know it. Source: EC2 Auto Scaling user guide, "Amazon
EC2 Auto Scaling lifecycle hooks". Notification targets are recorded and not called.
"""

from collections.abc import Callable
from dataclasses import dataclass

from goldfleet.scaling.group import Group
from goldfleet.scaling.model import ActionResult, LifecycleAction, Member, Transition

ENDED = "Lifecycle Action Completed with ABANDON Result"
TIMED_OUT = "Heartbeat Timeout"


@dataclass(frozen=True, slots=True)
class Wait:
    """What follows a wait: `proceed` when the last action is done, `abandon` with why at the first ABANDON."""

    proceed: Callable[[Group, Member], None]
    abandon: Callable[[Group, Member, str], None]


def start_actions(group: Group, member: Member, transition: Transition, wait: Wait) -> None:
    """Give a member every hook of a transition to wait for, all at once."""
    for hook in group.hooks_for(transition):
        now = group.now
        action = LifecycleAction(
            hook,
            group.world.ids.action_token(),
            now + hook.heartbeat_timeout_seconds,
            now + hook.global_timeout_seconds,
        )
        member.actions[hook.name] = action
        watch(group, member, action, wait)


def watch(group: Group, member: Member, action: LifecycleAction, wait: Wait) -> None:
    """Look at an action again when its time is over; a heartbeat meanwhile moves that on."""

    def look() -> None:
        if member.actions.get(action.hook.name) is not action:
            return
        if action.expires_at > group.now:
            group.wake_at(action.expires_at, look)
        else:
            end_action(group, member, action, action.hook.default_result, wait, TIMED_OUT)

    group.wake_at(action.expires_at, look)


def end_action(
    group: Group, member: Member, action: LifecycleAction, result: ActionResult, wait: Wait, why: str = ENDED
) -> None:  # fmt: skip
    """End one action. ABANDON ends the member's others too; CONTINUE lets it proceed when it was the last.

    Source: user guide, "How lifecycle hooks work", ABANDON and CONTINUE.
    """
    del member.actions[action.hook.name]
    if result is ActionResult.ABANDON:
        member.actions.clear()
        wait.abandon(
            group,
            member,
            f"Instance failed to complete user's Lifecycle Action: Lifecycle Action with token {action.token} was "
            f"abandoned: {why}",
        )
    elif not member.actions:
        wait.proceed(group, member)
