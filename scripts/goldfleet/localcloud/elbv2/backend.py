"""moto's ELBv2 backend with real load balancers behind it.

Each method checks what AWS would check, lets moto write its records, and has the load balancers' workers look again. What the
local cloud cannot do as AWS does is refused with UnsupportedOperation.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

from moto.elbv2 import urls
from moto.elbv2.exceptions import DuplicateListenerError, ELBClientError, TargetGroupNotFoundError, TargetNotRunning
from moto.elbv2.models import ELBv2Backend, FakeHealthStatus

from goldfleet.localcloud.balancer.configuration import ALGORITHMS
from goldfleet.localcloud.balancer.health import NOT_IN_USE, NOT_REGISTERED
from goldfleet.localcloud.balancer.model import Target, TargetHealth
from goldfleet.localcloud.elbv2.balancers import Balancers
from goldfleet.localcloud.elbv2.models import LOAD_BALANCER_ATTRIBUTES, TARGET_GROUP_ATTRIBUTES
from goldfleet.localcloud.elbv2.refusals import (
    ACTIONS,
    SETTABLE_LOAD_BALANCER_ATTRIBUTES,
    SETTABLE_TARGET_GROUP_ATTRIBUTES,
    refuse_unsupported,
    require_certificate,
    unsupported,
)
from goldfleet.localcloud.elbv2.translation import used_by

HOSTED_ZONE_ID = "Z35SXDOTRQ7X7K"  # of Application Load Balancers in us-east-1; AWS general reference, "ELB endpoints"


class LocalELBv2Backend(ELBv2Backend):
    """ELBv2 of one region."""

    balancers: ClassVar[Balancers]

    @property
    def _url_module(self) -> Any:
        return urls

    # -- load balancers ---------------------------------------------------------------------------------------------

    def create_load_balancer(self, name: str, security_groups: list[str], subnet_ids: list[str], **options: Any) -> Any:
        """Make an Application Load Balancer and start its machine; the same name and settings give the same one again."""
        if (options.get("loadbalancer_type") or "application") != "application":
            raise unsupported(f"load balancers of type {options['loadbalancer_type']}")
        if options.get("ip_address_type", "ipv4") != "ipv4":
            raise unsupported(f"IP address type {options['ip_address_type']}")
        mappings = [mapping["SubnetId"] for mapping in options.pop("subnet_mappings", None) or []]
        subnets = self._subnets([*subnet_ids, *mappings])
        options["scheme"] = options.get("scheme") or "internet-facing"
        groups = security_groups or [self.ec2_backend.get_default_security_group(subnets[0].vpc_id).id]
        existing = self._load_balancer_named(name)
        if existing is not None:
            seen = (existing.scheme, set(existing.security_groups), {subnet.id for subnet in existing.subnets})
            if seen != (options["scheme"], set(groups), {subnet.id for subnet in subnets}):
                message = f"A load balancer with the same name '{name}' exists, but with different settings"
                raise ELBClientError("DuplicateLoadBalancerName", message)
            return existing
        record = super().create_load_balancer(name, groups, [subnet.id for subnet in subnets], **options)
        record.canonical_hosted_zone_id = HOSTED_ZONE_ID
        record.interface = self.ec2_backend.create_network_interface(
            subnets[0], None, group_ids=groups, description=f"ELB {record.arn.partition('loadbalancer/')[2]}"
        )
        record.dns_name = record.interface.private_ip_address
        self.balancers.add(record)
        self.ec2_backend.lifecycle.refresh_filters()
        return self._then_settle(record)

    def delete_load_balancer(self, arn: str) -> None:
        """Delete a load balancer; its machine and its address go after it."""
        record = self.load_balancers.get(arn)
        if record is not None and record.attrs["deletion_protection.enabled"] == "true":
            raise ELBClientError(
                "OperationNotPermitted",
                f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled",
            )
        super().delete_load_balancer(arn)
        self.ec2_backend.lifecycle.refresh_filters()
        self.settle()

    def modify_load_balancer_attributes(self, arn: str, attrs: dict[str, Any]) -> dict[str, Any]:
        """Change attributes; those that would promise what HAProxy does not do here are refused."""
        refuse_unsupported(attrs, LOAD_BALANCER_ATTRIBUTES, SETTABLE_LOAD_BALANCER_ATTRIBUTES)
        changed: dict[str, Any] = super().modify_load_balancer_attributes(arn, attrs)
        self.settle()
        return changed

    def set_security_groups(self, arn: str, sec_groups: list[str]) -> None:
        """Give a load balancer other groups and enforce them, on its targets too."""
        super().set_security_groups(arn, sec_groups)
        interface = self.load_balancers[arn].interface
        interface._group_set = [self.ec2_backend.get_security_group_from_id(group_id) for group_id in sec_groups]
        self.ec2_backend.lifecycle.refresh_filters()
        self.settle()

    # -- listeners and rules ----------------------------------------------------------------------------------------

    def create_listener(self, load_balancer_arn: str, protocol: str, port: str, *arguments: Any, **options: Any) -> Any:
        """Make a listener; HAProxy listens a moment later."""
        record = self.load_balancers.get(load_balancer_arn)
        if record is not None and any(str(one.port) == str(port) for one in record.listeners.values()):
            raise DuplicateListenerError()
        certificate = options.get("certificate")
        if protocol == "HTTPS":
            require_certificate(certificate)
        self._check_actions(load_balancer_arn, options.get("actions") or [])
        return self._then_settle(super().create_listener(load_balancer_arn, protocol, port, *arguments, **options))

    def modify_listener(self, arn: str, port: str | None = None, protocol: str | None = None,
                        ssl_policy: str | None = None, certificates: list[dict[str, Any]] | None = None,
                        actions: list[dict[str, Any]] | None = None) -> Any:  # fmt: skip
        """Change a listener; its further certificates stay, which moto forgets."""
        listener = self.describe_listeners(None, [arn])[0]
        self._check_actions(listener.load_balancer_arn, actions or [])
        for certificate in certificates or []:
            require_certificate(certificate["CertificateArn"])
        further = listener.certificates[1:]
        listener = super().modify_listener(arn, port, protocol, ssl_policy, certificates or [], actions or [])
        listener.certificates = list(dict.fromkeys([*listener.certificates[:1], *further]))
        return self._then_settle(listener)

    def delete_listener(self, listener_arn: str) -> Any:
        """Delete a listener."""
        return self._then_settle(super().delete_listener(listener_arn))

    def add_listener_certificates(self, arn: str, certificates: list[dict[str, Any]]) -> list[str]:
        """Add certificates that clients choose by name (SNI); returns those added, as AWS does."""
        for certificate in certificates:
            require_certificate(certificate["CertificateArn"])
        listener = self.describe_listeners(None, [arn])[0]
        super().add_listener_certificates(arn, certificates)
        listener.certificates = list(dict.fromkeys(listener.certificates))
        self.settle()
        return [certificate["CertificateArn"] for certificate in certificates]

    def remove_listener_certificates(self, arn: str, certificates: list[dict[str, Any]]) -> None:
        """Remove certificates of a listener."""
        super().remove_listener_certificates(arn, certificates)
        self.settle()

    def create_rule(self, listener_arn: str, conditions: Any, priority: int, actions: Any, tags: Any = None) -> Any:
        """Make a rule."""
        self._check_actions(self.describe_listeners(None, [listener_arn])[0].load_balancer_arn, actions)
        return self._then_settle(super().create_rule(listener_arn, conditions, priority, actions, tags))

    def modify_rule(self, rule_arn: str, conditions: Any, actions: Any) -> Any:
        """Change a rule."""
        rule = self.describe_rules(None, [rule_arn])[0]
        listener_arn = rule.listener_arn
        self._check_actions(self.describe_listeners(None, [listener_arn])[0].load_balancer_arn, actions or [])
        return self._then_settle(super().modify_rule(rule_arn, conditions, actions))

    def delete_rule(self, arn: str) -> None:
        """Delete a rule."""
        super().delete_rule(arn)
        self.settle()

    def set_rule_priorities(self, rule_priorities: list[dict[str, Any]]) -> Any:
        """Change the order of rules."""
        return self._then_settle(super().set_rule_priorities(rule_priorities))

    # -- target groups and targets ----------------------------------------------------------------------------------

    def create_target_group(self, name: str, **options: Any) -> Any:
        """Make a target group of instances that speak HTTP or HTTPS."""
        if (options.get("target_type") or "instance") != "instance":
            raise unsupported(f"target groups of type {options['target_type']}")
        if options.get("protocol") not in (None, "HTTP", "HTTPS"):
            raise unsupported(f"target groups with protocol {options['protocol']}")
        if (options.get("protocol_version") or "HTTP1") != "HTTP1":
            raise unsupported(f"protocol version {options['protocol_version']}")
        return self._then_settle(super().create_target_group(name, **options))

    def modify_target_group(self, arn: str, *arguments: Any, **options: Any) -> Any:
        """Change the health checks of a target group."""
        return self._then_settle(super().modify_target_group(arn, *arguments, **options))

    def modify_target_group_attributes(self, target_group_arn: str, attributes: dict[str, Any]) -> None:
        """Change attributes; those that would promise what HAProxy does not do here are refused."""
        refuse_unsupported(attributes, TARGET_GROUP_ATTRIBUTES, SETTABLE_TARGET_GROUP_ATTRIBUTES)
        algorithm = attributes.get("load_balancing.algorithm.type", "round_robin")
        if algorithm not in ALGORITHMS:
            raise unsupported(f"the routing algorithm {algorithm}")
        super().modify_target_group_attributes(target_group_arn, attributes)
        self.settle()

    def delete_target_group(self, target_group_arn: str) -> Any:
        """Delete a target group that no rule names."""
        record = super().delete_target_group(target_group_arn)
        self.balancers.registrations.forget(target_group_arn)
        return record

    def register_targets(self, target_group_arn: str, instances: list[Any]) -> None:
        """Register instances that run (InvalidTarget otherwise, and then none is registered)."""
        group = self._target_group(target_group_arn)
        for one in instances:
            instance = self.ec2_backend.get_instance_by_id(one["Id"])
            if instance is None:
                raise ELBClientError("InvalidTarget", f"The following targets are not valid: '{one['Id']}'")
            if instance.state != "running":
                raise TargetNotRunning(instance_id=one["Id"])
        self.register_unchecked(target_group_arn, [_target(group, one) for one in instances])

    def register_unchecked(self, target_group_arn: str, targets: Iterable[Target]) -> None:
        """Register targets whatever state their instances are in."""
        for target in targets:
            self.balancers.registrations.register(
                target_group_arn, target, is_in_use=bool(self.users(target_group_arn))
            )
        self.balancers.wake()

    def deregister_targets(self, target_group_arn: str, instances: list[dict[str, Any]]) -> None:
        """Take targets out; one that is not registered is no error (API reference, DeregisterTargets)."""
        group = self._target_group(target_group_arn)
        for one in instances:
            self.balancers.registrations.deregister(
                target_group_arn, _target(group, one), is_in_use=bool(self.users(target_group_arn))
            )
        self.balancers.wake()

    def describe_target_health(self, target_group_arn: str, targets: list[dict[str, Any]]) -> list[FakeHealthStatus]:
        """Return what the load balancer last saw of the targets asked for, or of all."""
        group = self._target_group(target_group_arn)
        seen = self.health_of(target_group_arn)
        asked = [_target(group, one) for one in targets] or sorted(seen)
        return [_status(group, target, seen.get(target, NOT_REGISTERED)) for target in asked]

    def health_of(self, target_group_arn: str) -> dict[Target, TargetHealth]:
        """Return what was last seen of every target of a target group."""
        seen = dict(self.balancers.registrations.health(target_group_arn))
        return seen if self.users(target_group_arn) else dict.fromkeys(seen, NOT_IN_USE)

    def notify_terminate_instances(self, instance_ids: list[str]) -> None:
        """Do nothing: the workers see an instance's state."""

    # -- inside -----------------------------------------------------------------------------------------------------

    def users(self, target_group_arn: str) -> list[str]:
        """Return the ARNs of the load balancers whose rules forward to a target group."""
        return [record.arn for record in self.load_balancers.values() if target_group_arn in used_by(record)]

    def settle(self) -> None:
        """Have every worker look again, and say of the targets that no load balancer uses that they are not in use."""
        self.balancers.remember_names()
        for arn in self.target_groups:
            if not self.users(arn):
                self.balancers.registrations.leave_unused(arn)
        self.balancers.wake()

    def _then_settle(self, result: Any) -> Any:
        self.settle()
        return result

    def _target_group(self, arn: str) -> Any:
        if arn not in self.target_groups:
            raise TargetGroupNotFoundError()
        return self.target_groups[arn]

    def _load_balancer_named(self, name: str) -> Any:
        return next((record for record in self.load_balancers.values() if record.name == name), None)

    def _subnets(self, subnet_ids: list[str]) -> list[Any]:
        """Return subnets of the default VPC, in two Availability Zones at least."""
        subnets = [self.ec2_backend.get_subnet(subnet_id) for subnet_id in dict.fromkeys(subnet_ids)]
        if len({subnet.availability_zone for subnet in subnets}) < 2:
            message = "At least two subnets in two different Availability Zones must be specified"
            raise ELBClientError("ValidationError", message)
        if any(subnet.vpc_id != self.ec2_backend.get_default_vpc().id for subnet in subnets):
            raise unsupported("load balancers outside the default VPC")
        return subnets

    def _check_actions(self, load_balancer_arn: str, actions: list[dict[str, Any]]) -> None:
        """Raise unless every action can be taken here and no target group of another load balancer is used."""
        for action in actions:
            if action.get("Type") not in ACTIONS:
                raise unsupported(f"actions of type {action.get('Type')}")
            for arn in self._get_target_group_arns_from(action):
                if any(user != load_balancer_arn for user in self.users(arn)):
                    raise ELBClientError(
                        "TargetGroupAssociationLimit",
                        f"The following target groups cannot be associated with more than one load balancer: {arn}",
                    )


def _target(group: Any, target: dict[str, Any]) -> Target:
    return Target(target["Id"], int(target.get("Port") or group.port))


def _status(group: Any, target: Target, health: TargetHealth) -> FakeHealthStatus:
    port = group.health_check_port
    check_port = str(target.port if port in (None, "traffic-port") else port)
    return FakeHealthStatus(
        target.instance_id, str(target.port), check_port, str(health.state), health.reason or None,
        health.description or None,
    )  # fmt: skip
