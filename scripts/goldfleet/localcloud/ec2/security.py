"""Which packets the security groups of an instance let through: moto's records resolved to `firewall.Filters`.

Reads moto's records under the world's lock; enforcing is the caller's business.
"""

from collections.abc import Iterable
from typing import Any

from goldfleet.localcloud.firewall import Filters, Permission


def filters_of(instance: Any, all_instances: Iterable[Any]) -> Filters:
    """Return what may reach an instance and what it may reach."""
    members = members_by_group(all_instances)
    groups = groups_of(instance)
    return Filters(
        ingress=tuple(_permission(rule, members) for group in groups for rule in group.ingress_rules),
        egress=tuple(_permission(rule, members) for group in groups for rule in group.egress_rules),
    )


def groups_of(instance: Any) -> list[Any]:
    """Return the security groups of all interfaces of an instance, each once."""
    groups = {group.id: group for nic in instance.nics.values() for group in nic.group_set}
    return [groups[key] for key in sorted(groups)]


def members_by_group(instances: Iterable[Any]) -> dict[str, tuple[str, ...]]:
    """Return the addresses of every group's live members, as /32 blocks, by group id."""
    members: dict[str, set[str]] = {}
    for instance in instances:
        if instance.state in ("pending", "running"):
            for group in groups_of(instance):
                members.setdefault(group.id, set()).add(f"{instance.private_ip}/32")
    return {group: tuple(sorted(addresses)) for group, addresses in members.items()}


def _permission(rule: Any, members: dict[str, tuple[str, ...]]) -> Permission:
    peers: tuple[str, ...] = ()
    if rule.cidr_ipv4:
        peers += (rule.cidr_ipv4,)
    if rule.source_group:
        peers += members.get(rule.source_group.get("GroupId", ""), ())
    return Permission(rule.ip_protocol or "-1", rule.from_port, rule.to_port, peers)
