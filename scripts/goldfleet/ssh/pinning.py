"""Pins the host keys of running instances in a known_hosts file, from their console output."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from goldfleet.aws.model import Instance
from goldfleet.clock import Clock, wait_until
from goldfleet.errors import RefusedError
from goldfleet.ssh.known_hosts import HostKey, parse_host_keys, pin


class Consoles(Protocol):
    """Shows what instances print on their consoles; goldfleet.aws.ec2.Ec2 is one."""

    def console_output(self, instance_id: str) -> str: ...


class Fleet(Protocol):
    """Knows instances; goldfleet.aws.ec2.Ec2 is one."""

    def instances(self, filters: Mapping[str, Sequence[str]]) -> tuple[Instance, ...]: ...


@dataclass(frozen=True)
class Pinned:
    """One instance: the names its keys were pinned for, and how many keys; none when its console shows no keys."""

    instance_id: str
    names: tuple[str, ...]
    keys: int


def choose_instances(
    fleet: Fleet, instance_ids: Sequence[str], tag_filters: Mapping[str, Sequence[str]]
) -> tuple[Instance, ...]:
    """Return the instances with these ids and tags, or, when no id is given, all running ones with these tags.

    Raises RefusedError when there is none, or one that is named is not there or not running; it names every such one.
    """
    wanted = list(dict.fromkeys(instance_ids))
    chosen = {"instance-id": wanted} if wanted else {"instance-state-name": ["running"]}
    found = fleet.instances({**tag_filters, **chosen})
    states = {one.instance_id: f"is {one.state}" for one in found}
    missing = "does not exist with these tags" if tag_filters else "does not exist"
    reasons = tuple(f"{one} {states.get(one, missing)}" for one in wanted if states.get(one) != "is running")
    if reasons:
        raise RefusedError(
            f"{len(reasons)} of {len(wanted)} instances are not running.",
            "Start them or leave them out; check the region.",
            reasons,
        )
    if not found:
        raise RefusedError("No running instance matches.", "Check the ids or tags, and the region.")
    return found


def pin_instances(
    instances: Sequence[Instance], consoles: Consoles, file: Path, clock: Clock, timeout_seconds: float
) -> tuple[Pinned, ...]:
    """Pin each instance's host keys in the file; wait for keys so many seconds in all. Other lines stay.

    Raises RefusedError when the file cannot be read or written.
    """
    deadline = clock.monotonic() + timeout_seconds
    text = _read(file)
    pinned = []
    for instance in instances:
        keys = wait_until(_look(consoles, instance.instance_id), clock, max(0.0, deadline - clock.monotonic())) or ()
        names = names_of(instance)
        if keys:
            text = pin(text, names, keys)
        pinned.append(Pinned(instance.instance_id, names, len(keys)))
    _write(file, text)
    return tuple(pinned)


def names_of(instance: Instance) -> tuple[str, ...]:
    """Return every name and address under which an instance may be called."""
    names = (
        instance.public_ip_address,
        instance.private_ip_address,
        instance.public_dns_name,
        instance.private_dns_name,
        instance.instance_id,
    )
    return tuple(dict.fromkeys(name for name in names if name))


def _look(consoles: Consoles, instance_id: str) -> Callable[[], tuple[HostKey, ...] | None]:
    return lambda: parse_host_keys(consoles.console_output(instance_id)) or None


def _read(file: Path) -> str:
    """Return the file's text, "" when there is none yet; its folder is made, so that a wait is not in vain."""
    with _refusing(f"{file} cannot be written"):
        file.parent.mkdir(parents=True, exist_ok=True)
    with _refusing(f"{file} cannot be read"):
        return file.read_text(encoding="utf-8") if file.exists() else ""


def _write(file: Path, text: str) -> None:
    """Replace the file in one step: ssh may be reading it."""
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    with _refusing(f"{file} cannot be written"):
        try:
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(file)
        finally:
            fresh.unlink(missing_ok=True)


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    """Turn a missing right, a full disk or a file that is no text inside the block into RefusedError."""
    try:
        yield
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RefusedError(f"{what}: {reason}.", "Set rights or free space there, then run again.") from error
