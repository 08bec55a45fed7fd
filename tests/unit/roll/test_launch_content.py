"""Names of what a roll makes say the content: the same content has the same name."""

import base64

from goldfleet.roll.launch_content import (
    configuration_name,
    configuration_request,
    content_hash,
    content_of,
    snapshots_of,
    version_description,
)

DESCRIPTION = {
    "LaunchConfigurationName": "web",
    "LaunchConfigurationARN": "arn:…",
    "CreatedTime": "2026",
    "ImageId": "ami-1",
    "KernelId": "",
    "ClassicLinkVPCSecurityGroups": [],
    "InstanceType": "t3.small",
    "EbsOptimized": False,
    "UserData": base64.b64encode(b"#!/bin/sh\n").decode(),
}


def test_content_leaves_out_what_no_request_takes() -> None:
    assert set(content_of(DESCRIPTION)) == {"InstanceType", "EbsOptimized", "UserData"}


def test_same_content_has_the_same_name_and_other_content_another() -> None:
    first = configuration_name("web", "ami-2", content_of(DESCRIPTION))
    assert first == configuration_name(
        "web", "ami-2", content_of({**DESCRIPTION, "ImageId": "ami-7", "CreatedTime": "x"})
    )
    assert first != configuration_name("web", "ami-2", content_of({**DESCRIPTION, "InstanceType": "t3.large"}))
    assert first.startswith("web-ami-2-")


def test_names_do_not_grow_from_roll_to_roll() -> None:
    content = content_of(DESCRIPTION)
    first = configuration_name("web", "ami-0abc", content)
    assert configuration_name(first, "ami-0def", content) == f"web-ami-0def-{content_hash(content)}"
    assert len(configuration_name("x" * 255, "ami-0123456789abcdef0", content)) < 232


def test_request_holds_user_data_as_it_is() -> None:
    request = configuration_request("web-ami-2", "ami-2", content_of(DESCRIPTION))
    assert request["UserData"] == b"#!/bin/sh\n"
    assert (request["LaunchConfigurationName"], request["ImageId"]) == ("web-ami-2", "ami-2")


def test_description_of_a_version_says_image_and_content() -> None:
    content = {"InstanceType": "t3.small"}
    assert version_description("ami-2", content) == f"goldfleet ami-2 {content_hash(content)}"


def test_snapshots_of_volumes_are_found_and_volumes_without_one_are_none() -> None:
    mappings = [
        {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": "snap-1", "VolumeSize": 20}},
        {"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 5}},
        {"DeviceName": "/dev/sdc", "VirtualName": "ephemeral0"},
    ]
    assert snapshots_of({"BlockDeviceMappings": mappings}) == {"snap-1"}
    assert snapshots_of({}) == frozenset()
