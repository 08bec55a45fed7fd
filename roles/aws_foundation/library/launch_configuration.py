#!/usr/bin/python
"""Ansible module of role aws_foundation: make a launch configuration named after what it holds, with IMDSv2 required.

community.aws.autoscaling_launch_config can neither require IMDSv2 nor preview. Launch configurations cannot be changed
(Auto Scaling user guide, "Launch configurations"), so the name says image and content; nothing is made twice.
"""

from __future__ import annotations

import hashlib
import json

try:
    import botocore.exceptions as botocore_exceptions
except ImportError:
    botocore_exceptions = None  # AnsibleAWSModule says so before it is needed

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

DOCUMENTATION = r"""
module: launch_configuration
short_description: Make a launch configuration named after what it holds
description:
  - Makes base_name-image_id-hash where neither it nor, apart from the image, the one in force has these settings already.
  - IMDSv2 is required, the root volume is an encrypted gp3, detailed monitoring is off (it is on by default, and costs).
options:
  base_name: {description: Start of the name., type: str, required: true}
  in_force: {description: Launch configuration that the group uses; empty for a new group., type: str, default: ""}
  image_id: {description: AMI., type: str, required: true}
  instance_type: {description: Instance type., type: str, required: true}
  key_name: {description: Key pair; empty for none., type: str, default: ""}
  security_groups: {description: Ids of the security groups., type: list, elements: str, required: true}
  instance_profile: {description: Name of the instance profile., type: str, required: true}
  device_name: {description: Root device of the AMI., type: str, required: true}
  volume_size: {description: GiB of the root volume., type: int, required: true}
author: [The goldfleet developers]
"""
EXAMPLES = r"""
- launch_configuration:
    base_name: goldfleet-web
    image_id: ami-0123456789abcdef0
    instance_type: t3.small
    security_groups: [sg-0123456789abcdef0]
    instance_profile: goldfleet-web-server
    device_name: /dev/xvda
    volume_size: 20
"""
RETURN = r"""
name: {description: The launch configuration that has the settings., type: str, returned: always}
"""

OPTIONS = {
    "base_name": {"type": "str", "required": True},
    "in_force": {"type": "str", "default": ""},
    "image_id": {"type": "str", "required": True},
    "instance_type": {"type": "str", "required": True},
    "key_name": {"type": "str", "default": "", "no_log": False},
    "security_groups": {"type": "list", "elements": "str", "required": True},
    "instance_profile": {"type": "str", "required": True},
    "device_name": {"type": "str", "required": True},
    "volume_size": {"type": "int", "required": True},
}


def build_request(wanted: dict) -> dict:
    """Return what CreateLaunchConfiguration is asked for, but the name."""
    size = wanted["volume_size"]
    volume = {"Encrypted": True, "VolumeType": "gp3", "VolumeSize": size, "DeleteOnTermination": True}
    request = {
        "ImageId": wanted["image_id"],
        "InstanceType": wanted["instance_type"],
        "SecurityGroups": sorted(wanted["security_groups"]),
        "IamInstanceProfile": wanted["instance_profile"],
        "BlockDeviceMappings": [{"DeviceName": wanted["device_name"], "Ebs": volume}],
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"},
        "InstanceMonitoring": {"Enabled": False},
    }
    return request | ({"KeyName": wanted["key_name"]} if wanted["key_name"] else {})


def has_settings(seen: dict, request: dict) -> bool:
    """Tell whether a launch configuration as AWS describes it has the settings asked for; the image is not compared.

    AWS describes more than was asked for: KeyName "" for none, and defaults.
    """
    if seen.get("KeyName", "") != request.get("KeyName", ""):
        return False
    return _covers(seen, {key: value for key, value in request.items() if key != "ImageId"})


def _covers(seen: object, wanted: object) -> bool:
    if isinstance(wanted, dict):
        return isinstance(seen, dict) and all(_covers(seen.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(seen, list) and len(seen) == len(wanted) and all(map(_covers, seen, wanted))
    return seen == wanted


def build_name(base_name: str, request: dict) -> str:
    """Return the name that says what the launch configuration holds."""
    content = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
    return f"{base_name}-{request['ImageId']}-{content[:8]}"


def describe(client: object, name: str) -> dict:
    """Return a launch configuration as AWS describes it, empty when there is none of the name."""
    answer = client.describe_launch_configurations(LaunchConfigurationNames=[name])["LaunchConfigurations"]
    return next(iter(answer), {})


def main() -> None:
    """Make the launch configuration if it is not there, and say its name."""
    module = AnsibleAWSModule(argument_spec=OPTIONS, supports_check_mode=True)
    client = module.client("autoscaling")
    request = build_request(module.params)
    in_force, name = module.params["in_force"], build_name(module.params["base_name"], request)
    try:
        if in_force and has_settings(describe(client, in_force), request):
            module.exit_json(changed=False, name=in_force)
        if describe(client, name):
            module.exit_json(changed=False, name=name)
        if not module.check_mode:
            client.create_launch_configuration(LaunchConfigurationName=name, **request)
    except (botocore_exceptions.ClientError, botocore_exceptions.BotoCoreError) as error:
        module.fail_json_aws(error, msg=f"Cannot make the launch configuration {name}")
    module.exit_json(changed=True, name=name)


if __name__ == "__main__":
    main()
