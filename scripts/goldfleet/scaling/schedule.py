"""Scheduled actions: put, delete, run at their time.

Source: EC2 Auto Scaling user guide, "Scheduled scaling"; API reference, PutScheduledUpdateGroupAction.
"""

from dataclasses import replace

from goldfleet.scaling.cron import RecurrenceError, parse_recurrence
from goldfleet.scaling.group import Group
from goldfleet.scaling.model import ScheduledAction
from goldfleet.scaling.refusals import validation_error
from goldfleet.scaling.sizes import use_spec, with_desired_inside
from goldfleet.scaling.validation import check_scheduled_action


def put_scheduled_action(group: Group, action: ScheduledAction) -> None:
    """Add or replace a scheduled action and wait for its time."""
    check_scheduled_action(action, group.now)
    group.scheduled_actions[action.name] = action
    watch(group, action, first_time(group, action))


def delete_scheduled_action(group: Group, name: str) -> None:
    """Delete a scheduled action; CallRefusedError if there is none of the name."""
    if group.scheduled_actions.pop(name, None) is None:
        raise validation_error(f"Scheduled action name not found - {name}")


def first_time(group: Group, action: ScheduledAction) -> float | None:
    """Return when an action runs first: at its start time if it has one, recurring or not."""
    return action.starts_at if action.starts_at is not None else next_time(group, action)


def next_time(group: Group, action: ScheduledAction) -> float | None:
    """Return when a recurring action runs after now; None for a one-off, or when it has ended."""
    if not action.recurrence:
        return None
    try:
        found = parse_recurrence(action.recurrence).next_after(group.now, action.time_zone)
    except RecurrenceError:
        return None
    return found if action.ends_at is None or found <= action.ends_at else None


def watch(group: Group, action: ScheduledAction, at: float | None) -> None:
    """Run an action at a time, unless it is deleted or replaced by then; one without a next time is deleted."""
    if at is None:
        del group.scheduled_actions[action.name]
        return

    def run_if_current() -> None:
        if group.scheduled_actions.get(action.name) is action:
            run(group, action)
            watch(group, action, next_time(group, action))

    group.wake_at(at, run_if_current)


def run(group: Group, action: ScheduledAction) -> None:
    """Change the sizes as an action says; skipped for good while ScheduledActions is suspended.

    Sizes that contradict the group's own by now are not refused, since nobody is there to be told: the minimum holds,
    and the desired capacity is moved inside.
    """
    if not group.is_active("ScheduledActions"):
        return
    spec = group.spec
    min_size = spec.min_size if action.min_size is None else action.min_size
    max_size = max(min_size, spec.max_size if action.max_size is None else action.max_size)
    desired = spec.desired_capacity if action.desired_capacity is None else action.desired_capacity
    changed = replace(spec, min_size=min_size, max_size=max_size, desired_capacity=desired)
    use_spec(group, with_desired_inside(changed), "a scheduled action update")


def next_times(group: Group) -> dict[str, float | None]:
    """Return when each scheduled action runs next, by name (DescribeScheduledActions)."""
    times = {}
    for name, action in group.scheduled_actions.items():
        is_ahead = action.starts_at is not None and action.starts_at > group.now
        times[name] = action.starts_at if is_ahead else next_time(group, action)
    return times
