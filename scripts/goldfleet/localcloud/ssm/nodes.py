"""Which managed nodes a call means: pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from goldfleet.localcloud.ssm.model import CommandSpec, Target
from goldfleet.localcloud.ssm.ports import Node, Reach
from goldfleet.localcloud.ssm.refusals import CallRefusedError, not_valid_nodes, validation_error

PING_STATUS = {Reach.ONLINE: "Online", Reach.LOST: "ConnectionLost"}
"""Of running instances. Stopped ones are not described (API reference, DescribeInstanceInformation), yet may be sent to."""


def chosen(spec: CommandSpec, nodes: Sequence[Node]) -> list[Node]:
    """Return the nodes that a command goes to, in the order in which they are known.

    Targets are ANDed, the values of one are alternatives (user guide, "Run commands at scale"). An instance that is named and
    is no managed node is InvalidInstanceId; a stopped one is valid (API reference, InvalidInstanceId).
    """
    named = {*spec.instance_ids, *(value for one in spec.targets if _names_nodes(one) for value in one.values)}
    known = {node.instance_id for node in nodes}
    if named - known:
        raise not_valid_nodes(sorted(named - known))
    if spec.instance_ids:
        return [node for node in nodes if node.instance_id in named]
    return [node for node in nodes if all(_meets(node, target) for target in spec.targets)]


def _names_nodes(target: Target) -> bool:
    return target.key.lower() == "instanceids"


def _meets(node: Node, target: Target) -> bool:
    if _names_nodes(target):
        return node.instance_id in target.values
    if target.key == "tag-key":
        return any(key in target.values for key in node.tags)
    name = target.key.removeprefix("tag:")
    return name in node.tags and node.tags[name] in target.values


def described(parameters: Mapping[str, Any], nodes: Iterable[Node]) -> list[Node]:
    """Return the nodes that DescribeInstanceInformation means. Tag filters go with no others (API reference)."""
    filters = [(one["Key"], tuple(one["Values"])) for one in parameters.get("Filters") or ()]
    legacy = [(one["key"], tuple(one["valueSet"])) for one in parameters.get("InstanceInformationFilterList") or ()]
    if filters and legacy:
        raise validation_error("Filters and InstanceInformationFilterList cannot be used together.")
    by_tag = [key for key, _ in filters if key.startswith("tag")]
    if by_tag and len(by_tag) < len(filters):
        raise validation_error("Tag filters cannot be combined with other filter types.")
    tests = [_test(key, values) for key, values in filters + legacy]
    return [node for node in nodes if node.reach in PING_STATUS and all(test(node) for test in tests)]


def _test(key: str, values: tuple[str, ...]) -> Callable[[Node], bool]:
    constant = {"PlatformTypes": "Linux", "ResourceType": "EC2Instance", "SourceTypes": "AWS::EC2::Instance"}
    if key == "tag-key" or key.startswith("tag:"):
        return lambda node: _meets(node, Target(key, values))
    if key in ("InstanceIds", "SourceIds"):
        return lambda node: node.instance_id in values
    if key == "PingStatus":
        return lambda node: PING_STATUS[node.reach] in values
    if key in constant:
        return lambda _node: constant[key] in values
    raise CallRefusedError("InvalidFilterKey", f"The filter key {key} isn't valid.")
