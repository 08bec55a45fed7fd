"""Scaling activities, in AWS's words.

Source for the wording: EC2 Auto Scaling user guide, "Verify a scaling activity", "Temporarily remove instances",
"Troubleshoot"; API reference, Activity and the example responses of EnterStandby, ExitStandby and DetachInstances.
"""

import json
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime

from goldfleet.scaling.model import Activity, Zone
from goldfleet.scaling.ports import Ids


def timestamp(seconds: float) -> str:
    """Return a time as a Cause writes it: 2026-11-23T14:15:30Z."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def sentence(seconds: float, text: str) -> str:
    """Return one sentence of a Cause."""
    return f"At {timestamp(seconds)} {text}."


def cause_of(sentences: Sequence[str]) -> str:
    """Return a whole Cause; AWS sets two spaces between sentences."""
    return "  ".join(sentences)


class Journal:
    """A group's activities of the last six weeks (DescribeScalingActivities)."""

    def __init__(self, ids: Ids, keep_seconds: float) -> None:
        self._ids = ids
        self._keep_seconds = keep_seconds
        self._activities: deque[Activity] = deque()
        self.last_ended: Activity | None = None
        self.open_count = 0

    def newest_first(self) -> list[Activity]:
        """Return the activities as DescribeScalingActivities orders them."""
        return list(reversed(self._activities))

    def open(self, now: float, description: str, cause: str, zone: Zone, status_code: str = "InProgress") -> Activity:
        """Write an activity that has begun."""
        details = json.dumps({"Subnet ID": zone.subnet_id, "Availability Zone": zone.name})
        activity = Activity(self._ids.activity_id(), description, cause, now, details, status_code)
        self._activities.append(activity)
        self.open_count += 1
        self._forget(now)
        return activity

    def close(self, activity: Activity, now: float, status_code: str = "Successful", message: str = "") -> None:
        """Write how an activity ended. A reason also goes into the description, as AWS does."""
        activity.status_code, activity.status_message = status_code, message
        activity.progress, activity.ended_at = 100, now
        if message:
            activity.description = f"{activity.description}.  Status Reason: {message}"
        self.open_count -= 1
        self.last_ended = activity

    def _forget(self, now: float) -> None:
        oldest = self._activities[0]
        while oldest.ended_at is not None and oldest.ended_at < now - self._keep_seconds:
            self._activities.popleft()
            oldest = self._activities[0]
