"""Calls about lifecycle hooks: put, delete, complete an action, record a heartbeat.

Source: EC2 Auto Scaling API reference, PutLifecycleHook, DeleteLifecycleHook, CompleteLifecycleAction,
RecordLifecycleActionHeartbeat.
"""

from goldfleet.scaling import launching, terminating, waiting
from goldfleet.scaling.group import Group
from goldfleet.scaling.model import ActionResult, Hook, LifecycleAction, Member, Transition
from goldfleet.scaling.refusals import CallRefusedError, validation_error
from goldfleet.scaling.validation import check_hook

AFTER_WAIT = {Transition.LAUNCHING: launching.AFTER_WAIT, Transition.TERMINATING: terminating.AFTER_WAIT}


def put_hook(group: Group, hook: Hook) -> None:
    """Add or change a hook; members that wait already keep the hook they wait for."""
    check_hook(hook, len(group.hooks.keys() - {hook.name}))
    group.hooks[hook.name] = hook


def delete_hook(group: Group, name: str) -> None:
    """Delete a hook; its outstanding actions end first, with ABANDON for launches and CONTINUE for terminations."""
    if name not in group.hooks:
        raise no_such_hook(group, name)
    hook = group.hooks.pop(name)
    result = ActionResult.ABANDON if hook.transition is Transition.LAUNCHING else ActionResult.CONTINUE
    for member in [member for member in group.roster if name in member.actions]:
        action = member.actions[name]
        waiting.end_action(group, member, action, result, AFTER_WAIT[action.hook.transition])


def complete_action(
    group: Group, hook_name: str, result: ActionResult, instance_id: str = "", token: str = ""
) -> None:  # fmt: skip
    """End a member's wait for a hook (CompleteLifecycleAction); by token, or by instance id."""
    member, action = find_action(group, hook_name, instance_id, token)
    waiting.end_action(group, member, action, result, AFTER_WAIT[action.hook.transition])


def record_heartbeat(group: Group, hook_name: str, instance_id: str = "", token: str = "") -> None:
    """Start an action's time-out anew, never past its global one (RecordLifecycleActionHeartbeat)."""
    _, action = find_action(group, hook_name, instance_id, token)
    action.expires_at = min(group.now + action.hook.heartbeat_timeout_seconds, action.gives_up_at)


def find_action(group: Group, hook_name: str, instance_id: str, token: str) -> tuple[Member, LifecycleAction]:
    """Return the member and the action that a call means; CallRefusedError if nobody waits for it."""
    if hook_name not in group.hooks:
        raise no_such_hook(group, hook_name)
    for member in group.roster:
        action = member.actions.get(hook_name)
        if action and (action.token == token if token else member.instance_id == instance_id):
            return member, action
    wanted = f"token {token}" if token else f"instance ID {instance_id}"
    raise validation_error(f"No active Lifecycle Action found with {wanted}")


def no_such_hook(group: Group, name: str) -> CallRefusedError:
    """Return the refusal of a call about a hook that the group does not have."""
    return validation_error(f"No Lifecycle Hook found with name: {name} for AutoScalingGroup {group.spec.name}")
