"""EC2 instances and images of the local cloud, driven by the stock aws CLI and looked at from inside."""

import json
import subprocess
import sys
from functools import partial
from typing import Any

import pytest

from goldfleet.localcloud.podman import Podman
from tests.localcloud.conftest import Cloud, wait_for


@pytest.fixture(scope="module")
def server(cloud: Cloud) -> str:
    """A running instance that the tests of this module share."""
    (instance_id,) = cloud.launch(
        "--user-data", "#!/bin/sh\necho from user data >/root/user-data-ran\n",
        "--tag-specifications", "ResourceType=instance,Tags=[{Key=Name,Value=shared}]",
    )  # fmt: skip
    cloud.wait_state(instance_id, "running")
    return instance_id


def test_launch_is_pending_at_first_then_running_with_its_private_address(cloud: Cloud, server: str) -> None:
    instance = cloud.instance(server)
    assert instance["State"]["Name"] == "running"
    assert instance["PrivateIpAddress"].startswith(cloud.aws("ec2", "describe-vpcs")["Vpcs"][0]["CidrBlock"][:5])


def test_tags_at_creation_are_there(cloud: Cloud, server: str) -> None:
    assert {"Key": "Name", "Value": "shared"} in cloud.instance(server)["Tags"]


def test_public_address_is_the_private_one(cloud: Cloud, server: str) -> None:
    instance = cloud.instance(server)
    assert instance["PublicIpAddress"] == instance["PrivateIpAddress"]
    assert instance["PublicDnsName"] == instance["PrivateDnsName"]


def test_login_with_the_key_pair_and_a_pinned_host_key(cloud: Cloud, server: str) -> None:
    assert cloud.ssh(server, "sudo id -un").stdout == "root\n"


def test_user_data_ran_once(cloud: Cloud, server: str) -> None:
    assert cloud.ssh(server, "sudo cat /root/user-data-ran").stdout == "from user data\n"


def test_host_name_is_the_private_name(cloud: Cloud, server: str) -> None:
    name = cloud.instance(server)["PrivateDnsName"]
    assert cloud.ssh(server, "hostname").stdout.strip() == name.partition(".")[0]


def test_system_is_running_with_no_failed_unit(cloud: Cloud, server: str) -> None:
    assert cloud.ssh(server, "systemctl is-system-running --wait").stdout == "running\n"


def test_machine_may_not_set_the_hosts_clock(cloud: Cloud, server: str) -> None:
    assert cloud.ssh(server, "sudo date -s '2001-01-01'", check=False).returncode != 0


def test_machine_resolves_another_machines_private_name(cloud: Cloud, server: str) -> None:
    instance = cloud.instance(server)
    answer = cloud.ssh(server, f"getent hosts {instance['PrivateDnsName']}").stdout
    assert answer.split()[0] == instance["PrivateIpAddress"]


def test_stop_and_start_keep_disk_and_address(cloud: Cloud) -> None:
    (instance_id,) = cloud.launch()
    address = cloud.wait_state(instance_id, "running")["PrivateIpAddress"]
    cloud.ssh(instance_id, "echo kept >kept && sync")
    cloud.aws("ec2", "stop-instances", "--instance-ids", instance_id)
    cloud.wait_state(instance_id, "stopped")
    cloud.aws("ec2", "start-instances", "--instance-ids", instance_id)
    assert cloud.wait_state(instance_id, "running")["PrivateIpAddress"] == address
    assert wait_for("ssh", lambda: cloud.ssh(instance_id, "cat kept", check=False).stdout) == "kept\n"
    cloud.terminate(instance_id)


def test_reboot_by_api_and_from_inside_starts_the_machine_again(cloud: Cloud) -> None:
    (instance_id,) = cloud.launch()
    cloud.wait_state(instance_id, "running")

    first = wait_for("ssh", lambda: cloud.boot(instance_id))
    cloud.aws("ec2", "reboot-instances", "--instance-ids", instance_id)
    second = cloud.wait_for_another_boot(instance_id, first)
    cloud.ssh(instance_id, "sudo systemctl reboot", check=False)
    assert cloud.wait_for_another_boot(instance_id, second) != first
    assert cloud.instance(instance_id)["State"]["Name"] == "running"
    cloud.terminate(instance_id)


@pytest.mark.parametrize(("behavior", "state"), [("stop", "stopped"), ("terminate", "terminated")])
def test_poweroff_from_inside_follows_the_shutdown_behavior(cloud: Cloud, behavior: str, state: str) -> None:
    (instance_id,) = cloud.launch("--instance-initiated-shutdown-behavior", behavior)
    cloud.wait_state(instance_id, "running")
    cloud.ssh(instance_id, "sudo systemctl poweroff", check=False)
    assert cloud.wait_state(instance_id, state)["State"]["Name"] == state
    cloud.terminate(instance_id)


@pytest.mark.long
def test_reboot_on_a_busy_host_brings_every_machine_back(cloud: Cloud) -> None:
    """What podman does late for the run before must not end the next one."""
    instances = cloud.launch(count=3)
    for instance_id in instances:
        cloud.wait_state(instance_id, "running")
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(6)]
    try:
        for _ in range(4):
            started = {one: wait_for("ssh", partial(cloud.boot, one)) for one in instances}
            cloud.aws("ec2", "reboot-instances", "--instance-ids", *instances)
            for one, before in started.items():
                cloud.wait_for_another_boot(one, before, seconds=120)
                assert cloud.instance(one)["State"]["Name"] == "running"
    finally:
        for process in busy:
            process.kill()
            process.wait()
    cloud.terminate(*instances)


def test_terminated_instance_stays_visible_and_its_machine_is_gone(cloud: Cloud) -> None:
    (instance_id,) = cloud.launch()
    cloud.wait_state(instance_id, "running")
    cloud.terminate(instance_id)
    assert cloud.instance(instance_id)["State"]["Name"] == "terminated"
    assert instance_id not in cloud.run("podman", "ps", "--all").stdout


def test_create_image_is_pending_then_boots_a_copy_with_a_new_identity(cloud: Cloud) -> None:
    (builder,) = cloud.launch()
    cloud.wait_state(builder, "running")
    cloud.ssh(builder, "echo in the image | sudo tee /opt/marker")
    first_key = cloud.pinned_host_keys(builder).read_text().split()[2]
    cloud.aws("ec2", "stop-instances", "--instance-ids", builder)
    cloud.wait_state(builder, "stopped")
    image = cloud.aws(
        "ec2", "create-image", "--instance-id", builder, "--name", "copy-me",
        "--tag-specifications", "ResourceType=image,Tags=[{Key=a,Value=b}]",
    )["ImageId"]  # fmt: skip
    described = wait_for("image", lambda: _available(cloud, image))
    assert {"Key": "a", "Value": "b"} in described["Tags"]
    (copy,) = cloud.launch(image=image)
    cloud.wait_state(copy, "running")
    assert cloud.ssh(copy, "cat /opt/marker").stdout == "in the image\n"
    assert cloud.pinned_host_keys(copy).read_text().split()[2] != first_key
    cloud.terminate(builder, copy)
    snapshot = described["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    assert image_exists(cloud, snapshot)
    assert "InvalidSnapshot.InUse" in cloud.aws_refused("ec2", "delete-snapshot", "--snapshot-id", snapshot)
    cloud.aws("ec2", "deregister-image", "--image-id", image)
    registered = cloud.aws(
        "ec2", "register-image", "--name", "again", "--root-device-name", "/dev/xvda",
        "--block-device-mappings", json.dumps([{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}]),
    )["ImageId"]  # fmt: skip
    (again,) = cloud.launch(image=registered)
    cloud.wait_state(again, "running")
    assert cloud.ssh(again, "cat /opt/marker").stdout == "in the image\n"
    cloud.terminate(again)
    cloud.aws("ec2", "deregister-image", "--image-id", registered)
    cloud.aws("ec2", "delete-snapshot", "--snapshot-id", snapshot)
    assert not image_exists(cloud, snapshot)


def image_exists(cloud: Cloud, snapshot: str) -> bool:
    cloud_id = json.loads((cloud.state / "cloud.json").read_text())["cloud_id"]
    return Podman().image_exists(f"localhost/goldfleet/{cloud_id}:{snapshot}")


def _available(cloud: Cloud, image: str) -> dict[str, Any] | None:
    found = cloud.aws("ec2", "describe-images", "--image-ids", image)["Images"][0]
    return dict(found) if found["State"] == "available" else None


def test_image_of_a_running_instance_restarts_it(cloud: Cloud) -> None:
    (instance_id,) = cloud.launch()
    cloud.wait_state(instance_id, "running")
    cloud.ssh(instance_id, "true")
    image = cloud.aws("ec2", "create-image", "--instance-id", instance_id, "--name", "while-running")["ImageId"]
    wait_for("image", lambda: _available(cloud, image))
    wait_for("ssh again", lambda: cloud.ssh(instance_id, "echo up", check=False).stdout)
    assert cloud.instance(instance_id)["State"]["Name"] == "running"
    cloud.terminate(instance_id)
    cloud.aws("ec2", "deregister-image", "--image-id", image, "--delete-associated-snapshots")


def test_ten_at_once_all_run(cloud: Cloud) -> None:
    ids = cloud.launch(count=10)
    for instance_id in ids:
        cloud.wait_state(instance_id, "running")
    addresses = {cloud.instance(instance_id)["PrivateIpAddress"] for instance_id in ids}
    assert len(addresses) == 10
    cloud.terminate(*ids)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--image-id", "ami-00000000000000000"], "InvalidAMIID.NotFound"),
        (["--image-id", "BASE", "--key-name", "no-such-key"], "InvalidKeyPair.NotFound"),
        (["--image-id", "BASE", "--security-group-ids", "sg-00000000000000000"], "InvalidGroup.NotFound"),
        (["--image-id", "BASE", "--subnet-id", "subnet-00000000000000000"], "InvalidSubnetID.NotFound"),
        (["--image-id", "BASE", "--iam-instance-profile", "Name=nobody"], "InvalidParameterValue"),
    ],
)
def test_launch_with_something_unknown_is_refused_and_launches_nothing(
    cloud: Cloud, arguments: list[str], code: str
) -> None:
    before = len(cloud.aws("ec2", "describe-instances")["Reservations"])
    given = [cloud.base_image() if argument == "BASE" else argument for argument in arguments]
    assert code in cloud.aws_refused("ec2", "run-instances", "--instance-type", "t3.small", *given)
    assert len(cloud.aws("ec2", "describe-instances")["Reservations"]) == before


def test_same_client_token_launches_once(cloud: Cloud) -> None:
    first = cloud.launch("--client-token", "only-once")
    second = cloud.launch("--client-token", "only-once")
    assert first == second
    cloud.terminate(*first)


def test_interface_goes_with_its_instance_and_a_volume_without_a_size_has_the_images(cloud: Cloud) -> None:
    mapping = json.dumps([{"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True, "DeleteOnTermination": True}}])
    (instance_id,) = cloud.launch("--block-device-mappings", mapping)
    interface = cloud.wait_state(instance_id, "running")["NetworkInterfaces"][0]
    assert interface["Attachment"]["DeleteOnTermination"] is True
    volumes = cloud.aws("ec2", "describe-volumes", "--filters", f"Name=attachment.instance-id,Values={instance_id}")
    assert [volume["Encrypted"] for volume in volumes["Volumes"]] == [True]
    cloud.terminate(instance_id)
    left = cloud.aws("ec2", "describe-network-interfaces")["NetworkInterfaces"]
    assert interface["NetworkInterfaceId"] not in [one["NetworkInterfaceId"] for one in left]
