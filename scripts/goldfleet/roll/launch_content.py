"""What a launch configuration or template version says but for its AMI, and names that tell it; pure.

Source: Auto Scaling API reference, LaunchConfiguration and CreateLaunchConfiguration: a description has a few fields that
a request must not have, and empty texts for what is not set.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

NOT_IN_REQUEST = ("LaunchConfigurationARN", "CreatedTime", "LaunchConfigurationName", "ImageId")
LONGEST_NAME = 200
HASH_DIGITS = 8
_OWN_SUFFIX = re.compile(r"-ami-[0-9a-f]+-[0-9a-f]{8}$")


def content_of(description: Mapping[str, object]) -> dict[str, object]:
    """Return what a description says apart from name, time and AMI."""
    kept = {key: value for key, value in description.items() if key not in NOT_IN_REQUEST}
    return {key: value for key, value in kept.items() if value not in ("", [], None)}


def snapshots_of(content: Mapping[str, object]) -> frozenset[str]:
    """Return the snapshots that the block device mappings of a content name."""
    mappings = content.get("BlockDeviceMappings") or []
    found = (dict(one.get("Ebs") or {}).get("SnapshotId") for one in cast("Iterable[Mapping[str, Any]]", mappings))
    return frozenset(str(one) for one in found if one)


def content_hash(content: Mapping[str, object]) -> str:
    """Return a short digest of a content."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_DIGITS]


def configuration_name(current: str, image_id: str, content: Mapping[str, object]) -> str:
    """Return the name of the configuration that is like `current` but for its AMI: the same one for the same content."""
    base = _OWN_SUFFIX.sub("", current)
    return f"{base[:LONGEST_NAME]}-{image_id}-{content_hash(content)}"


def configuration_request(name: str, image_id: str, content: Mapping[str, object]) -> dict[str, object]:
    """Return the request for a launch configuration.

    User data comes in base64 and is encoded again by boto3, so it is decoded here. Source: botocore, handlers.py,
    base64_encode_user_data.
    """
    request = {**content, "LaunchConfigurationName": name, "ImageId": image_id}
    if "UserData" in request:
        request["UserData"] = base64.b64decode(str(request["UserData"]))
    return request


def version_description(image_id: str, content: Mapping[str, object]) -> str:
    """Return the description of a template's version: the same one for the same content."""
    return f"goldfleet {image_id} {content_hash(content)}"
