"""Suspend and resume a group's processes; what each one stops is said where it is stopped.

InstanceRefresh is recorded only: instance refreshes are not modelled. Source: EC2 Auto Scaling user guide, "Suspend and resume
Amazon EC2 Auto Scaling processes".
"""

from collections.abc import Sequence

from goldfleet.scaling.group import Group
from goldfleet.scaling.journal import timestamp
from goldfleet.scaling.validation import PROCESSES, check_processes


def suspend(group: Group, processes: Sequence[str] = ()) -> None:
    """Suspend the processes named, or all (SuspendProcesses)."""
    check_processes(processes)
    for process in processes or PROCESSES:
        group.suspended.setdefault(process, f"User suspended at {timestamp(group.now)}")


def resume(group: Group, processes: Sequence[str] = ()) -> None:
    """Resume the processes named, or all (ResumeProcesses). Launches that were paused after failures are tried at once."""
    check_processes(processes)
    for process in processes or PROCESSES:
        if group.suspended.pop(process, None) and process == "Launch":
            group.failed_launches, group.failing_since, group.next_launch_at = 0, None, group.now
    group.is_settled = False
