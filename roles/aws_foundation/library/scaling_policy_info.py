#!/usr/bin/python
"""Ansible module of role aws_foundation: list an Auto Scaling group's scaling policies. No collection has such a module."""

from __future__ import annotations

try:
    import botocore.exceptions as botocore_exceptions
except ImportError:
    botocore_exceptions = None  # AnsibleAWSModule says so before it is needed

from ansible.module_utils.common.dict_transformations import camel_dict_to_snake_dict
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

DOCUMENTATION = r"""
module: scaling_policy_info
short_description: List an Auto Scaling group's scaling policies
description: [Lists all policies of one group as DescribePolicies does, in Ansible's spelling.]
options:
  group: {description: Name of the Auto Scaling group., type: str, required: true}
author: [The goldfleet developers]
"""
EXAMPLES = r"""
- scaling_policy_info:
    group: web
"""
RETURN = r"""
policies: {description: The group's scaling policies., type: list, elements: dict, returned: always}
"""


def main() -> None:
    """List the policies; change nothing."""
    options = {"group": {"type": "str", "required": True}}
    module = AnsibleAWSModule(argument_spec=options, supports_check_mode=True)
    try:
        pages = module.client("autoscaling").get_paginator("describe_policies")
        found = pages.paginate(AutoScalingGroupName=module.params["group"]).build_full_result()["ScalingPolicies"]
    except (botocore_exceptions.ClientError, botocore_exceptions.BotoCoreError) as error:
        module.fail_json_aws(error, msg=f"Cannot list the scaling policies of {module.params['group']}")
    module.exit_json(changed=False, policies=[camel_dict_to_snake_dict(one) for one in found])


if __name__ == "__main__":
    main()
