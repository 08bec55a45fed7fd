"""What the metadata service may tell: moto's records of an instance, in the metadata categories' words."""

import base64
import datetime
from typing import Any

from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from goldfleet.localcloud.ec2.security import groups_of
from goldfleet.localcloud.ec2.world import World
from goldfleet.localcloud.metadata import InstanceMetadata, RoleCredentials
from goldfleet.localcloud.state import ACCOUNT_ID, REGION

CREDENTIAL_SECONDS = 3600
RENEW_BEFORE_SECONDS = 900
PARTITION = "aws"


class MotoMetadataSource:
    """Answers the metadata service from moto's records."""

    def __init__(self, world: World, backend: Any) -> None:
        self._world = world
        self._backend = backend
        self._credentials: dict[tuple[str, str], Any] = {}

    def instance_at(self, address: str) -> InstanceMetadata | None:
        """Return what the instance at a private address may know, None where no instance has it."""
        with self._world.lock:
            instance = self._instance(address)
            return None if instance is None else self._describe(instance)

    def credentials_for(self, address: str) -> RoleCredentials | None:
        """Return credentials of the instance's role, good for at least a quarter of an hour; None without a role."""
        with self._world.lock:
            instance = self._instance(address)
            role = self._role(instance) if instance is not None else None
            if instance is None or role is None:
                return None
            assumed = self._assume(instance, role)
        return RoleCredentials(
            access_key_id=assumed.access_key_id,
            secret_access_key=assumed.secret_access_key,
            session_token=assumed.session_token,
            last_updated=_rfc3339(assumed.expiration - datetime.timedelta(seconds=CREDENTIAL_SECONDS)),
            expiration=_rfc3339(assumed.expiration),
        )

    def _instance(self, address: str) -> Any:
        alive = ("pending", "running", "stopping", "shutting-down")
        for instance in self._backend.all_instances():
            if instance.private_ip == address and instance.state in alive:
                return instance
        return None

    def _assume(self, instance: Any, role: Any) -> Any:
        key = (instance.id, role.arn)
        held = self._credentials.get(key)
        soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=RENEW_BEFORE_SECONDS)
        if held is None or held.expiration.replace(tzinfo=datetime.UTC) < soon:
            held = sts_backends[ACCOUNT_ID][PARTITION].assume_role(
                region_name=REGION, role_session_name=instance.id, role_arn=role.arn, policy="",
                duration=CREDENTIAL_SECONDS, external_id="",
            )  # fmt: skip
            self._credentials[key] = held
        return held

    def _role(self, instance: Any) -> Any:
        profile = profile_of(instance)
        return profile.roles[0] if profile is not None and profile.roles else None

    def _describe(self, instance: Any) -> InstanceMetadata:
        role = self._role(instance)
        categories = self._categories(instance)
        if instance.metadata_options.instance_metadata_tags == "enabled":
            categories |= {f"tags/instance/{tag['key']}": tag["value"] for tag in instance.get_tags()}
        if role is not None:
            profile = profile_of(instance)
            categories["iam/info"] = f'{{"Code": "Success", "InstanceProfileArn": "{profile.arn}"}}'
        return InstanceMetadata(
            http_endpoint=instance.metadata_options.http_endpoint or "enabled",
            http_tokens=instance.metadata_options.http_tokens or "optional",
            user_data=_user_data(instance),
            categories=categories,
            identity_document=self._identity_document(instance),
            key_name=instance.key_name or None,
            role_name=role.name if role is not None else None,
        )

    def _categories(self, instance: Any) -> dict[str, str]:
        nic = instance.nics[0]
        mac = nic.mac_address
        categories = {
            "ami-id": instance.image_id,
            "ami-launch-index": str(instance.ami_launch_index),
            "hostname": instance.private_dns_name,
            "instance-action": "none",
            "instance-id": instance.id,
            "instance-life-cycle": "on-demand",
            "instance-type": instance.instance_type,
            "local-hostname": instance.private_dns_name,
            "local-ipv4": instance.private_ip,
            "mac": mac,
            "placement/availability-zone": instance.placement.zone,
            "placement/region": REGION,
            "reservation-id": instance.id.replace("i-", "r-"),
            "security-groups": "\n".join(group.name for group in groups_of(instance)),
            "services/domain": "amazonaws.com",
            "services/partition": PARTITION,
            f"network/interfaces/macs/{mac}/device-number": "0",
            f"network/interfaces/macs/{mac}/interface-id": nic.id,
            f"network/interfaces/macs/{mac}/local-ipv4s": instance.private_ip,
            f"network/interfaces/macs/{mac}/mac": mac,
            f"network/interfaces/macs/{mac}/subnet-id": nic.subnet.id,
            f"network/interfaces/macs/{mac}/vpc-id": nic.subnet.vpc_id,
        }
        if instance.public_ip:
            categories |= {"public-ipv4": instance.public_ip, "public-hostname": instance.public_dns_name}
        key = self._backend.key_pairs.get(instance.key_name or "")
        if key is not None:
            categories["public-keys/0/openssh-key"] = key.public_key.strip()
        return categories

    def _identity_document(self, instance: Any) -> dict[str, Any]:
        return {
            "accountId": ACCOUNT_ID,
            "architecture": instance.architecture,
            "availabilityZone": instance.placement.zone,
            "imageId": instance.image_id,
            "instanceId": instance.id,
            "instanceType": instance.instance_type,
            "pendingTime": _rfc3339(instance.launch_time),
            "privateIp": instance.private_ip,
            "region": REGION,
            "version": "2017-09-30",
        }


def profile_of(instance: Any) -> Any:
    """Return moto's record of an instance's profile, None where it has none."""
    association = instance.ec2_backend.iam_instance_profile_associations.get(instance.id)
    if association is None:
        return None
    return iam_backends[ACCOUNT_ID][PARTITION].get_instance_profile(association.iam_instance_profile.name)


def _user_data(instance: Any) -> bytes | None:
    if not instance.user_data:
        return None
    encoded = instance.user_data
    return base64.b64decode(encoded if isinstance(encoded, str | bytes) else str(encoded))


def _rfc3339(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
