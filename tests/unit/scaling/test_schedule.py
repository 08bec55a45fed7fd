"""Scheduled actions run at their time, once or again and again."""

from datetime import UTC, datetime

import pytest

from goldfleet.scaling import schedule
from goldfleet.scaling.cron import RecurrenceError, parse_recurrence
from goldfleet.scaling.model import ScheduledAction, Settings
from goldfleet.scaling.refusals import CallRefusedError
from tests.unit.scaling.world import START, Cloud, activities, states

HOUR = 3600


def cloud_with_slow_checks() -> Cloud:
    return Cloud(Settings(health_check_seconds=HOUR))


def test_one_off_action_runs_once_and_is_gone() -> None:
    cloud = cloud_with_slow_checks()
    group = cloud.running(1, 3, 1)
    action = ScheduledAction("evening", min_size=2, max_size=6, desired_capacity=5, starts_at=START + HOUR)
    schedule.put_scheduled_action(group, action)
    assert schedule.next_times(group) == {"evening": START + HOUR}
    cloud.pass_time(HOUR + 60)
    assert states(group) == {"InService": 5}
    assert (group.spec.min_size, group.spec.max_size) == (2, 6)
    assert group.scheduled_actions == {}
    assert (
        "a scheduled action update of AutoScalingGroup constraints to min: 2, max: 6, desired: 5 changing the desired "
        "capacity from 1 to 5."
    ) in next(activities(group)).cause


def test_recurring_action_runs_every_time_until_it_ends() -> None:
    cloud = cloud_with_slow_checks()
    group = cloud.running(0, 9, 0)
    times = []
    action = ScheduledAction("hourly", desired_capacity=0, recurrence="0 * * * *", ends_at=START + 3 * HOUR)
    schedule.put_scheduled_action(group, action)
    while group.scheduled_actions:
        wake = cloud.scaling.tick()
        assert wake is not None
        times.append(wake)
        cloud.clock.seconds = wake
        cloud.scaling.tick()
    assert [datetime.fromtimestamp(at, UTC).strftime("%H:%M") for at in times] == ["15:00", "16:00", "17:00"]


def test_recurring_action_with_a_start_runs_then_too() -> None:
    cloud = cloud_with_slow_checks()
    group = cloud.running(0, 9, 0)
    action = ScheduledAction("daily", desired_capacity=1, recurrence="0 0 * * *", starts_at=START + 600)
    schedule.put_scheduled_action(group, action)
    cloud.pass_time(660)
    assert states(group) == {"InService": 1}
    assert schedule.next_times(group) == {"daily": datetime(2026, 11, 24, tzinfo=UTC).timestamp()}


def test_replaced_action_runs_only_as_the_new_one() -> None:
    cloud = cloud_with_slow_checks()
    group = cloud.running(0, 9, 0)
    schedule.put_scheduled_action(group, ScheduledAction("x", desired_capacity=5, starts_at=START + 100))
    schedule.put_scheduled_action(group, ScheduledAction("x", desired_capacity=1, starts_at=START + 200))
    cloud.pass_time(150)
    assert group.spec.desired_capacity == 0
    cloud.pass_time(150)
    assert group.spec.desired_capacity == 1


def test_deleted_action_does_not_run() -> None:
    cloud = cloud_with_slow_checks()
    group = cloud.running(0, 9, 0)
    schedule.put_scheduled_action(group, ScheduledAction("x", desired_capacity=5, starts_at=START + 100))
    schedule.delete_scheduled_action(group, "x")
    cloud.pass_time(150)
    assert group.spec.desired_capacity == 0
    with pytest.raises(CallRefusedError, match="Scheduled action name not found - x"):
        schedule.delete_scheduled_action(group, "x")


def test_minimum_above_the_maximum_lifts_the_maximum() -> None:
    cloud = cloud_with_slow_checks()
    group = cloud.running(0, 2, 1)
    schedule.put_scheduled_action(group, ScheduledAction("x", min_size=4, starts_at=START + 100))
    cloud.pass_time(200)
    assert (group.spec.min_size, group.spec.max_size, group.spec.desired_capacity) == (4, 4, 4)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (ScheduledAction("x", starts_at=START + 9), "At least one of MinSize, MaxSize or DesiredCapacity"),
        (ScheduledAction("x", 1), "Either a StartTime or a Recurrence"),
        (ScheduledAction("x", 1, starts_at=START - 9), "Specified start time is in the past"),
        (ScheduledAction("x", 1, starts_at=START + 9, ends_at=START + 8), "Specified end time is before"),
        (ScheduledAction("x", 1, recurrence="* * *"), "Given recurrence string:\\* \\* \\* is invalid"),
        (ScheduledAction("x", 1, recurrence="0 0 31 2 *"), "never comes true"),
        (
            ScheduledAction("x", 1, recurrence="0 0 * * *", time_zone="Mars/Base"),
            "The time zone Mars/Base is not valid",
        ),
    ],
    ids=["no size", "no time", "past", "ends first", "no recurrence", "never", "time zone"],
)
def test_wrong_action_is_refused(action: ScheduledAction, message: str) -> None:
    group = Cloud().create()
    with pytest.raises(CallRefusedError, match=message):
        schedule.put_scheduled_action(group, action)
    assert group.scheduled_actions == {}


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("30 0 1 1,6,12 *", "2026-11-23 14:15", "2026-12-01 00:30"),
        ("*/20 * * * *", "2026-11-23 14:15", "2026-11-23 14:20"),
        ("5/15 14 * * *", "2026-11-23 14:15", "2026-11-23 14:20"),
        ("0 9 * * MON-FRI", "2026-11-20 10:00", "2026-11-23 09:00"),
        ("0 9 * * 7", "2026-11-23 14:15", "2026-11-29 09:00"),
        ("0 0 13 * FRI", "2026-11-23 14:15", "2026-11-27 00:00"),
        ("0 0 29 FEB *", "2026-11-23 14:15", "2028-02-29 00:00"),
        ("15 14 * * *", "2026-11-23 14:15", "2026-11-24 14:15"),
    ],
    ids=["months", "step", "step from", "weekdays", "Sunday is 7", "either day", "leap day", "strictly after"],
)
def test_recurrence_comes_true_next(expression: str, after: str, expected: str) -> None:
    seconds = datetime.fromisoformat(after).replace(tzinfo=UTC).timestamp()
    found = parse_recurrence(expression).next_after(seconds)
    assert datetime.fromtimestamp(found, UTC).strftime("%Y-%m-%d %H:%M") == expected


@pytest.mark.parametrize(
    ("after", "expected"),
    [("2026-03-28 12:00", "2026-03-29 01:30"), ("2026-10-24 12:00", "2026-10-25 00:30")],
    ids=["hour that the change of clocks leaves out", "hour that comes twice"],
)
def test_recurrence_follows_the_clocks_of_its_zone(after: str, expected: str) -> None:
    seconds = datetime.fromisoformat(after).replace(tzinfo=UTC).timestamp()
    found = parse_recurrence("30 2 * * *").next_after(seconds, "Europe/Berlin")
    assert datetime.fromtimestamp(found, UTC).strftime("%Y-%m-%d %H:%M") == expected


@pytest.mark.parametrize(
    "expression",
    ["60 * * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "5-1 * * * *", "*/0 * * * *", "x * * * *", "5- * * * *", ""],
)
def test_expression_out_of_range_is_refused(expression: str) -> None:
    with pytest.raises(RecurrenceError, match="is invalid"):
        parse_recurrence(expression)
