"""moto's records of instances, interfaces, addresses and images, made truthful.

moto invents public addresses and names, calls every image "standard", and puts an address into use again at once. Here a
public address IS the private one, images are EBS images, and an address rests as long as there are fresh ones.
"""

from typing import Any

from moto.ec2.models.amis import Ami
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.instances import Instance
from moto.ec2.models.subnets import Subnet

from goldfleet.localcloud.base_image import ROOT_DEVICE_NAME


class LocalInstance(Instance):
    """An instance whose public name and address, where it has any, are the private ones.

    Its interfaces go with it, unless the launch says otherwise, and a volume without a size has the AMI's.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        kept = {int(nic.get("DeviceIndex") or 0) for nic in options.get("nics") or [] if outlives(nic)}
        for index, nic in self.nics.items():
            nic.delete_on_termination = index not in kept

    def add_block_device(
        self, size: int | None, device_path: str, snapshot_id: str | None, *rest: Any, **options: Any
    ) -> None:
        """Make a volume; source: RunInstances, BlockDeviceMapping (what is not given is the AMI's)."""
        if size is None and snapshot_id is None:
            image = self.ec2_backend.amis.get(self.image_id)
            size = image.ebs_snapshot.volume.size if image else None
        super().add_block_device(size, device_path, snapshot_id, *rest, **options)

    @property
    def public_dns_name(self) -> str | None:
        """The private name: the local cloud's machines have no other."""
        return str(self.private_dns_name) if self.public_ip else None


def outlives(nic: dict[str, Any]) -> bool:
    """Say whether an interface that a launch names stays when its instance ends."""
    return bool(nic.get("NetworkInterfaceId")) or str(nic.get("DeleteOnTermination")).lower() == "false"


class LocalNetworkInterface(NetworkInterface):
    """An interface whose public address, where the subnet or the launch asks for one, is its private address."""

    @property
    def network_interface_id(self) -> str:
        """The id, under the name that DescribeInstances gives to it."""
        return str(self.id)

    @property
    def public_ip(self) -> str | None:
        """The private address while a public one is assigned."""
        return self.private_ip_address if self._has_public_ip else None

    @public_ip.setter
    def public_ip(self, value: str | None) -> None:
        self._has_public_ip = value is not None

    def check_auto_public_ip(self) -> None:
        """Assign a public address when the launch or the subnet asks for one."""
        self._has_public_ip = str(self.public_ip_auto_assign).lower() == "true"

    @property
    def association(self) -> dict[str, Any]:
        """The association of the public address, under the private name."""
        found: dict[str, Any] = super().association
        if found:
            found["publicDnsName"] = f"ip-{str(self.public_ip).replace('.', '-')}.ec2.internal"
        return found


class LocalSubnet(Subnet):
    """A subnet that hands out fresh addresses, so that a host key pinned for one is not met by another machine."""

    def del_subnet_ip(self, ip: str) -> None:
        """Free an address; it comes into use again only when no fresh one is left."""
        self._subnet_ips.pop(ip, None)

    def get_available_subnet_ip(self, instance: Any) -> str:
        """Return an address that was never used, or the lowest free one when all were."""
        try:
            return str(super().get_available_subnet_ip(instance))
        except (StopIteration, RuntimeError):
            free = next(str(ip) for ip in list(self.cidr.hosts())[3:] if str(ip) not in self._subnet_ips)
            self._subnet_ips[free] = instance
            return free


class LocalAmi(Ami):
    """An EBS-backed image; its root device is that of the machine it was made from."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        instance = options.get("instance")
        options["root_device_name"] = instance.root_device_name if instance else ROOT_DEVICE_NAME
        options["root_device_type"] = "ebs"
        options.setdefault("virtualization_type", "hvm")
        super().__init__(*arguments, **options)
        self.virtualization_type = "hvm"
        self.hypervisor = "xen"
        self.ena_support = True

    def get_filter_value(self, filter_name: str, method_name: str | None = None) -> Any:
        """Return what a DescribeImages filter compares; adds the filters that moto does not know."""
        known = {
            "root-device-type": self.root_device_type,
            "root-device-name": self.root_device_name,
            "description": self.description,
            "hypervisor": self.hypervisor,
            "image-type": self.image_type,
            "ena-support": "true",
        }
        return known[filter_name] if filter_name in known else super().get_filter_value(filter_name, method_name)
