"""Recurrences of scheduled actions: five cron fields, and when they next come true: pure.

Fields: minute, hour, day of month, month, day of week; `*`, numbers, names (JAN, MON), lists, ranges and steps. As in
crontab(5), when both day fields are restricted either is enough. Source: EC2 Auto Scaling user guide, "Scheduled
scaling", recurring schedules.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
LONGEST_LOOK = timedelta(days=8 * 366)  # 29 February is at most eight years away


class RecurrenceError(ValueError):
    """The expression is no recurrence, or never comes true."""


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A parsed expression: the values at which each field is true."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday
    is_either_day: bool  # both day fields are restricted

    def next_after(self, seconds: float, time_zone: str = "UTC") -> float:
        """Return the first minute after a time at which it is true on a clock in the zone.

        seconds and the result are since the epoch. A local time that a change of clocks leaves out counts by the offset before
        the change; one that comes twice counts the first time. Raises RecurrenceError when there is none.
        """
        zone = ZoneInfo(time_zone)
        moment = datetime.fromtimestamp(seconds, zone).replace(second=0, microsecond=0, tzinfo=None)
        limit = moment + LONGEST_LOOK
        while moment < limit:
            moment = self._next_match(moment + timedelta(minutes=1), limit)
            found = moment.replace(tzinfo=zone).astimezone(UTC).timestamp()
            if found > seconds:
                return found
        raise RecurrenceError("The recurrence never comes true.")

    def _next_match(self, moment: datetime, limit: datetime) -> datetime:
        while moment < limit:
            if not self._is_day(moment):
                moment = moment.replace(hour=0, minute=0) + timedelta(days=1)
            elif moment.hour not in self.hours:
                moment = moment.replace(minute=0) + timedelta(hours=1)
            elif moment.minute not in self.minutes:
                moment += timedelta(minutes=1)
            else:
                return moment
        raise RecurrenceError("The recurrence never comes true.")

    def _is_day(self, moment: datetime) -> bool:
        in_month = moment.day in self.days
        in_week = moment.isoweekday() % 7 in self.weekdays
        is_day = (in_month or in_week) if self.is_either_day else (in_month and in_week)
        return is_day and moment.month in self.months


def parse_recurrence(expression: str) -> Recurrence:
    """Return the recurrence that five cron fields mean; RecurrenceError if they mean none."""
    fields = expression.split()
    if len(fields) != 5:
        raise RecurrenceError(f"Given recurrence string:{expression} is invalid")
    minute, hour, day, month, weekday = fields
    try:
        return Recurrence(
            parse_field(minute, 0, 59),
            parse_field(hour, 0, 23),
            parse_field(day, 1, 31),
            parse_field(month, 1, 12, {name: number for number, name in enumerate(MONTHS, 1)}),
            frozenset(value % 7 for value in parse_field(weekday, 0, 7, {name: i for i, name in enumerate(DAYS)})),
            not day.startswith("*") and not weekday.startswith("*"),
        )
    except ValueError as error:
        raise RecurrenceError(f"Given recurrence string:{expression} is invalid") from error


def parse_field(text: str, low: int, high: int, names: dict[str, int] | None = None) -> frozenset[int]:
    """Return the values of one field; ValueError if it has none or one out of bounds."""
    values: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        first, last = parse_span(span, low, high, names or {})
        if slash and "-" not in span and span != "*":
            last = high  # 5/15 is 5-59/15
        if not low <= first <= last <= high:
            raise ValueError(part)
        values.update(range(first, last + 1, parse_step(step) if slash else 1))
    return frozenset(values)


def parse_span(span: str, low: int, high: int, names: dict[str, int]) -> tuple[int, int]:
    """Return the bounds of `*`, a number or name, or a range."""
    if span == "*":
        return low, high
    first, dash, last = span.partition("-")
    lower, upper = (
        names.get(part.upper(), -1) if part.isalpha() else int(part) for part in (first, last if dash else first)
    )
    return lower, upper


def parse_step(text: str) -> int:
    """Return a step, 1 or more."""
    step = int(text)
    if step < 1:
        raise ValueError(text)
    return step
