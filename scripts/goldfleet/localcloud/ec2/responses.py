"""moto's EC2 answers where they ignore what was asked or make up what was seen."""

from typing import Any

from moto.core.responses import ActionResult
from moto.core.types import Base64EncodedString
from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.responses import EC2Response
from moto.ec2.utils import filter_iam_instance_profiles
from moto.iam.exceptions import NotFoundException

from goldfleet.localcloud.ec2.templates import LaunchTemplateActions, no_such_profile


class LocalEC2Response(LaunchTemplateActions, EC2Response):
    """EC2's actions as the local cloud answers them."""

    def run_instances(self) -> ActionResult:
        """Launch MaxCount instances (there is always room) and give each of them the instance profile.

        moto launches MinCount, gives the profile to the first only, and fails to give it again to a launch that is asked for
        once more. Whoever launches must be allowed to pass the profile's role (EC2 user guide, "IAM roles for Amazon EC2").
        """
        launched = self.ec2_backend.reservations_by_token.get(self._get_param("ClientToken") or "")
        if launched is not None:
            return ActionResult(launched)
        self.params["MinCount"] = self._get_param("MaxCount") or self._get_param("MinCount") or 1
        profile = {
            "iam_instance_profile_name": self._get_param("IamInstanceProfile.Name"),
            "iam_instance_profile_arn": self._get_param("IamInstanceProfile.Arn"),
        }
        named = [value for value in profile.values() if value]
        try:
            if named:
                self._require_pass_role(profile)
            result = super().run_instances()
        except NotFoundException as error:
            raise no_such_profile(named[0] if named else "") from error
        associated = self.ec2_backend.iam_instance_profile_associations
        for instance in result.result.instances if named else ():
            if instance.id not in associated:
                self.ec2_backend.give_profile(instance, profile)
        return result

    def _require_pass_role(self, profile: dict[str, str | None]) -> None:
        found = filter_iam_instance_profiles(self.current_account, partition=self.partition, **profile)
        for role in found.roles:
            if not self.ec2_backend.world.may(self.get_access_key(), "iam:PassRole", role.arn):
                raise EC2ClientError(
                    "UnauthorizedOperation",
                    "You are not authorized to perform this operation. The caller is not authorized to perform: "
                    f"iam:PassRole on resource: {role.arn} because no identity-based policy allows the iam:PassRole action",
                )

    def start_instances(self) -> ActionResult:
        """Start instances, with the states they are in now."""
        return self._state_changes("StartingInstances", self.ec2_backend.start_instances)

    def stop_instances(self) -> ActionResult:
        """Stop instances, with the states they are in now."""
        return self._state_changes("StoppingInstances", self.ec2_backend.stop_instances)

    def create_image(self) -> ActionResult:
        """Make an image; NoReboot on a running instance is refused, since a running disk cannot be kept consistent here."""
        if self._get_bool_param("NoReboot", False):
            instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
            if instance.state == "running":
                raise EC2ClientError("Unsupported", "The local cloud cannot image a running instance without a reboot.")
        return super().create_image()

    def register_image(self) -> ActionResult:
        """Register an image from the snapshot that its root device names."""
        self.error_on_dryrun()
        snapshots = [mapping.get("Ebs", {}).get("SnapshotId") for mapping in self._get_param("BlockDeviceMappings", [])]
        if not snapshots or not snapshots[0]:
            raise EC2ClientError("MissingParameter", "RegisterImage needs the snapshot of the root device.")
        image = self.ec2_backend.register_image_from_snapshot(
            self._get_param("Name"),
            self._get_param("Description", ""),
            snapshots[0],
            self._get_param("TagSpecifications", []),
        )
        return ActionResult({"ImageId": image.id})

    def deregister_image(self) -> ActionResult:
        """Deregister an image, and with DeleteAssociatedSnapshots delete its snapshot."""
        ami = self.ec2_backend.amis.get(self._get_param("ImageId"))
        result = super().deregister_image()
        if ami is not None and self._get_bool_param("DeleteAssociatedSnapshots", False):
            self.ec2_backend.delete_snapshot(ami.ebs_snapshot.id)
        return result

    def get_console_output(self) -> ActionResult:
        """Return what the machine really wrote to its console."""
        instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
        world = self.ec2_backend.world
        with world.unlocked():
            output = world.machines.console(instance.id)
        encoded = Base64EncodedString.from_raw_string(output.decode("utf-8", "replace"))
        return ActionResult({"InstanceId": instance.id, "Timestamp": utcnow(), "Output": encoded})

    @staticmethod
    def _validate_block_device_mapping(device_mapping: dict[str, Any]) -> None:
        """Check a mapping as moto does, but for a size: what is not given is the AMI's."""
        ebs = device_mapping.get("Ebs")
        if ebs is not None and not (ebs.get("VolumeSize") or ebs.get("SnapshotId")):
            device_mapping = {**device_mapping, "Ebs": {**ebs, "VolumeSize": 1}}
        EC2Response._validate_block_device_mapping(device_mapping)

    def _state_changes(self, key: str, act: Any) -> ActionResult:
        self.error_on_dryrun()
        changed = act(self._get_param("InstanceIds", []))
        return ActionResult({
            key: [
                {"InstanceId": instance.id, "CurrentState": instance.instance_state, "PreviousState": previous}
                for instance, previous in changed
            ]
        })  # fmt: skip
