"""Pins the host keys of running instances in a known_hosts file, from their console output."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from goldfleet.aws.model import Instance
from goldfleet.clock import Clock, wait_until
from goldfleet.ssh.known_hosts import HostKey, parse_host_keys, pin


class Consoles(Protocol):
    """Shows what instances print on their consoles; goldfleet.aws.ec2.Ec2 is one."""

    def console_output(self, instance_id: str) -> str: ...


@dataclass(frozen=True)
class Pinned:
    """One instance: the names its keys were pinned for, and how many keys; none when its console shows no keys."""

    instance_id: str
    names: tuple[str, ...]
    keys: int


def pin_instances(
    instances: Sequence[Instance], consoles: Consoles, file: Path, clock: Clock, timeout_seconds: float
) -> tuple[Pinned, ...]:
    """Pin each instance's host keys in the file; wait for keys so many seconds in all. Other lines stay."""
    deadline = clock.monotonic() + timeout_seconds
    text = file.read_text(encoding="utf-8") if file.exists() else ""
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


def _write(file: Path, text: str) -> None:
    """Replace the file in one step: ssh may be reading it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(file)
