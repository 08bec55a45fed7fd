"""What a run left behind, and in which order to remove it. Pure: looks at nothing itself, removes nothing.

Only things that carry a run's tag count, and AMIs that bear the run's id in their name and were never verified. The key
pair is made first and removed last: as long as anything else of the run is left, the key pair says so.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from goldfleet import tags
from goldfleet.aws.model import Image, Instance, KeyPair, SecurityGroup, Snapshot
from goldfleet.errors import RefusedError

GONE = ("terminated",)
GOING = ("shutting-down", *GONE)


@dataclass(frozen=True)
class TerminateInstance:
    """End an instance, and wait until it has ended."""

    instance_id: str


@dataclass(frozen=True)
class DeregisterImage:
    """Remove an AMI that was never verified.

    Its snapshots are tagged with the run first: once the AMI is gone, nothing else says whose they are.
    """

    image_id: str
    name: str
    run: str
    snapshot_ids: tuple[str, ...]


@dataclass(frozen=True)
class DeleteSnapshot:
    """Remove a snapshot of such an AMI."""

    snapshot_id: str


@dataclass(frozen=True)
class DeleteSecurityGroup:
    """Remove the run's security group."""

    group_id: str


@dataclass(frozen=True)
class DeleteKeyPair:
    """Remove the run's key pair."""

    name: str


Removal = TerminateInstance | DeregisterImage | DeleteSnapshot | DeleteSecurityGroup | DeleteKeyPair


@dataclass(frozen=True)
class RunLeftovers:
    """What AWS holds of one run; AMIs of the run that are kept, because verified or protected, are not in `images`."""

    run: str
    instances: tuple[Instance, ...] = ()
    images: tuple[Image, ...] = ()
    snapshots: tuple[Snapshot, ...] = ()
    security_groups: tuple[SecurityGroup, ...] = ()
    key_pairs: tuple[KeyPair, ...] = ()


@dataclass(frozen=True)
class RunPlan:
    """One run whose leftovers are to be removed, in this order."""

    run: str
    expires: str
    removals: tuple[Removal, ...]


@dataclass(frozen=True)
class RunSeen:
    """A run that temporary resources are tagged with, and their latest expiry; "" when one cannot be read."""

    run: str
    expires: str


def removals(left: RunLeftovers) -> tuple[Removal, ...]:
    """Return every removal for one run, in the order in which they can succeed."""
    snapshot_ids = dict.fromkeys(
        [snapshot_id for image in left.images for snapshot_id in image.snapshot_ids]
        + [snapshot.snapshot_id for snapshot in left.snapshots]
    )
    return (
        *(TerminateInstance(one.instance_id) for one in left.instances if one.state not in GONE),
        *(DeregisterImage(one.image_id, one.name, left.run, one.snapshot_ids) for one in left.images),
        *(DeleteSnapshot(snapshot_id) for snapshot_id in snapshot_ids),
        *(DeleteSecurityGroup(one.group_id) for one in left.security_groups),
        *(DeleteKeyPair(one.name) for one in left.key_pairs),
    )


def describe(removal: Removal) -> str:
    """Return a removal in words."""
    match removal:
        case TerminateInstance():
            return f"terminate instance {removal.instance_id}"
        case DeregisterImage():
            return f"deregister AMI {removal.image_id} ({removal.name}), never verified"
        case DeleteSnapshot():
            return f"delete snapshot {removal.snapshot_id}"
        case DeleteSecurityGroup():
            return f"delete security group {removal.group_id}"
        case DeleteKeyPair():
            return f"delete key pair {removal.name}"


def is_unverified(image: Image, run: str, protected: Iterable[str]) -> bool:
    """Tell whether an AMI is a run's own, was never verified, and nothing points at it."""
    return (
        bool(tags.image_of_ami_name(image.name))
        and image.name.endswith(f"-{run}")
        and tags.VERIFIED not in image.tags
        and image.image_id not in protected
    )


def runs_seen(tag_sets: Iterable[Mapping[str, str]]) -> tuple[RunSeen, ...]:
    """Return the runs that temporary resources are tagged with, by run id; resources without both tags do not count."""
    latest: dict[str, list[str]] = {}
    for tag_set in tag_sets:
        if tags.is_temporary(tag_set):
            latest.setdefault(tag_set[tags.RUN], []).append(tag_set[tags.EXPIRES])
    return tuple(RunSeen(run, _latest(times)) for run, times in sorted(latest.items()))


def runs_to_remove(
    seen: Iterable[RunSeen], now: datetime, live_runs: frozenset[str], only_run: str | None = None
) -> tuple[RunSeen, ...]:
    """Return the runs whose leftovers may go: expired ones that hold no live lease, or the one that is named.

    Raises RefusedError when the named run holds a live lease: it is still at work.
    """
    if only_run is not None:
        if only_run in live_runs:
            raise RefusedError(f"Run {only_run} is still at work: its lease is live.", "Stop it, or wait for its end.")
        return tuple(one for one in seen if one.run == only_run)
    return tuple(one for one in seen if one.run not in live_runs and _is_past(one.expires, now))


def _latest(times: list[str]) -> str:
    moments = [tags.parse_time(time) for time in times]
    known = [moment for moment in moments if moment is not None]
    return tags.format_time(max(known)) if len(known) == len(times) else ""


def _is_past(expires: str, now: datetime) -> bool:
    moment = tags.parse_time(expires)
    return moment is not None and moment < now
