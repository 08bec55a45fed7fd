"""The load balancers that run: which workers there are, and what each is to look after.

Stands between moto's records and `balancer`: reads records under the world's lock and hands out frozen values.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from goldfleet.localcloud import firewall
from goldfleet.localcloud.balancer.logs import JsonLines, event_line
from goldfleet.localcloud.balancer.machine import BalancerMachine
from goldfleet.localcloud.balancer.model import RegisteredTarget, Wanted
from goldfleet.localcloud.balancer.registrations import Registrations, StateChange
from goldfleet.localcloud.balancer.worker import Surroundings, Worker
from goldfleet.localcloud.ec2.security import filters_of
from goldfleet.localcloud.ec2.world import World
from goldfleet.localcloud.elbv2.translation import load_balancer_of, used_by
from goldfleet.localcloud.firewall import Filters, Permission

log = logging.getLogger("goldfleet.localcloud.balancer")


@dataclass(frozen=True)
class GroupMember:
    """A load balancer as a member of security groups, in the words of moto's instances."""

    id: str
    private_ip: str
    nics: dict[int, Any]
    state: str = "running"

    @property
    def security_groups(self) -> list[Any]:
        """The groups themselves."""
        return list(self.nics[0].group_set)


@dataclass
class Balancers:
    """All load balancers of the cloud."""

    world: World
    folder: Path
    events: JsonLines
    log_port: int
    backend: Callable[[], Any]  # moto's extended backend; it is made after this
    workers: dict[str, Worker] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)
    _arns: dict[str, str] = field(default_factory=dict)
    _users: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.registrations = Registrations(self._tell, time.time)

    def add(self, record: Any) -> None:
        """Start the machine of a new load balancer; it is provisioning until HAProxy answers."""
        arn, machine_id = record.arn, f"elb-{record.arn.rpartition('/')[2]}"
        machine = BalancerMachine(
            self.world.machines.podman, self.world.state, self.folder / machine_id, machine_id, record.dns_name
        )
        surroundings = Surroundings(
            look=lambda: self._wanted(arn),
            activated=lambda: self._activated(arn),
            gone=lambda: self._gone(record),
            registrations=self.registrations,
            log_address=f"{self.world.state.gateway}:{self.log_port}",
        )
        self.workers[arn] = Worker(machine, surroundings)
        self.workers[arn].start()

    def wake(self) -> None:
        """Have every worker look again at once."""
        for worker in list(self.workers.values()):
            worker.wake()

    def members(self) -> list[GroupMember]:
        """Return the load balancers as members of their security groups."""
        return [self._member(record) for record in self.backend().load_balancers.values()]

    def remember_names(self) -> None:
        """Keep the names that the logs write, so that writing waits for no lock; call under it after every change.

        A target group that is used no longer keeps its last load balancer: its targets' last events are told of that one.
        """
        records = list(self.backend().load_balancers.values())
        self._names = {record.dns_name: record.name for record in records}
        self._arns = {group.name: group.arn for group in self.backend().target_groups.values()}
        used = {arn: record.name for record in records for arn in used_by(record)}
        self._users = self._users | used

    def name_at(self, address: str) -> str:
        """Return the name of the load balancer at an address, "" where there is none."""
        return self._names.get(address, "")

    def arn_of(self, target_group_name: str) -> str:
        """Return the ARN of a target group, "" where there is none of that name."""
        return self._arns.get(target_group_name, "")

    def _member(self, record: Any) -> GroupMember:
        return GroupMember(record.arn, record.dns_name, {0: record.interface})

    def _wanted(self, arn: str) -> Wanted | None:
        with self.world.lock:
            backend = self.backend()
            record = backend.load_balancers.get(arn)
            if record is None:
                return None
            balancer = load_balancer_of(record, backend.target_groups)
            registered = {group.arn: self._registered(group.arn) for group in balancer.target_groups}
            return Wanted(balancer, self._filters(record), registered)

    def _registered(self, target_group_arn: str) -> tuple[RegisteredTarget, ...]:
        found = []
        for one in self.registrations.registered(target_group_arn):
            instance = self.backend().ec2_backend.get_instance_by_id(one.target.instance_id)
            state, address = ("terminated", "") if instance is None else (instance.state, instance.private_ip or "")
            found.append(
                RegisteredTarget(
                    one.target, one.number, address, state if address else "terminated", one.deregistered_at
                )
            )
        return tuple(found)

    def _filters(self, record: Any) -> str:
        """Return the packet filters of a load balancer: its security groups, and the way to the log."""
        everybody = [*self.backend().ec2_backend.all_instances(), *self.members()]
        allowed = filters_of(self._member(record), everybody)
        gateway = self.world.state.gateway
        logging_allowed = Permission("udp", self.log_port, self.log_port, (f"{gateway}/32",))
        return firewall.render(Filters(allowed.ingress, (*allowed.egress, logging_allowed)), gateway)

    def _activated(self, arn: str) -> None:
        with self.world.lock:
            record = self.backend().load_balancers.get(arn)
            if record is not None:
                record.state = "active"

    def _gone(self, record: Any) -> None:
        with self.world.lock:
            self.workers.pop(record.arn, None)
            ec2 = self.backend().ec2_backend
            if record.interface.id in ec2.enis:
                ec2.delete_network_interface(record.interface.id)
            record.interface.subnet.del_subnet_ip(record.dns_name)
            self.backend().settle()

    def _tell(self, change: StateChange) -> None:
        self.events.write(event_line(change, self._users.get(change.target_group_arn, ""), time.time()))
