"""What a machine of the local cloud finds with nothing configured: AWS under its own names, its role, its metadata."""

import json

import pytest

from tests.localcloud.conftest import Cloud, wait_for

TRUST = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
})  # fmt: skip
POLICY = json.dumps({
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": "arn:aws:ssm:*:*:parameter/allowed/*"},
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::inside/app/*"},
    ],
})  # fmt: skip


@pytest.fixture(scope="module")
def server(cloud: Cloud) -> str:
    """An instance with a role, IMDSv2 required, and Debian's own aws CLI installed on it."""
    cloud.aws("iam", "create-role", "--role-name", "inside", "--assume-role-policy-document", TRUST)
    cloud.aws("iam", "put-role-policy", "--role-name", "inside", "--policy-name", "p", "--policy-document", POLICY)
    cloud.aws("iam", "create-instance-profile", "--instance-profile-name", "inside")
    cloud.aws("iam", "add-role-to-instance-profile", "--instance-profile-name", "inside", "--role-name", "inside")
    for name in ("/allowed/greeting", "/forbidden/greeting"):
        cloud.aws("ssm", "put-parameter", "--name", name, "--type", "SecureString", "--value", "hello")
    cloud.aws("s3api", "create-bucket", "--bucket", "inside")
    for key in ("app/file", "secret/file"):
        body = cloud.folder / "file"
        body.write_text("from the bucket\n")
        cloud.aws("s3api", "put-object", "--bucket", "inside", "--key", key, "--body", str(body))
    (instance_id,) = cloud.launch(
        "--iam-instance-profile", "Name=inside", "--metadata-options", "HttpTokens=required,InstanceMetadataTags=enabled",
        "--tag-specifications", "ResourceType=instance,Tags=[{Key=role,Value=web}]",
    )  # fmt: skip
    cloud.wait_state(instance_id, "running")
    cloud.ssh(
        instance_id,
        "sudo apt-get update -qq && sudo DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends awscli",
    )
    return instance_id


def metadata(cloud: Cloud, instance_id: str, path: str) -> str:
    """Return a metadata document as the instance reads it, by IMDSv2."""
    token = "$(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)"
    command = f'curl -sf -H "X-aws-ec2-metadata-token: {token}" http://169.254.169.254/latest/{path}'
    return cloud.ssh(instance_id, command).stdout


def test_stock_aws_cli_knows_who_it_is(cloud: Cloud, server: str) -> None:
    identity = json.loads(cloud.ssh(server, "aws sts get-caller-identity").stdout)
    assert identity["Arn"] == f"arn:aws:sts::123456789012:assumed-role/inside/{server}"


def test_stock_aws_cli_reads_a_parameter(cloud: Cloud, server: str) -> None:
    command = "aws ssm get-parameter --name /allowed/greeting --with-decryption --query Parameter.Value --output text"
    assert cloud.ssh(server, command).stdout == "hello\n"


def test_stock_aws_cli_copies_from_a_bucket(cloud: Cloud, server: str) -> None:
    assert cloud.ssh(server, "aws s3 cp s3://inside/app/file -").stdout == "from the bucket\n"


@pytest.mark.parametrize(
    "command",
    [
        "aws ssm get-parameter --name /forbidden/greeting",
        "aws s3 cp s3://inside/secret/file -",
        "aws ssm put-parameter --name /allowed/new --type String --value x",
        "aws ec2 describe-instances",
        "aws iam list-users",
    ],
)
def test_what_the_role_does_not_allow_is_denied(cloud: Cloud, server: str, command: str) -> None:
    done = cloud.ssh(server, command, check=False)
    assert done.returncode != 0
    assert any(word in done.stderr for word in ("AccessDenied", "Forbidden", "UnauthorizedOperation"))


def test_metadata_without_a_token_is_refused_when_tokens_are_required(cloud: Cloud, server: str) -> None:
    answer = cloud.ssh(server, "curl -s -o /dev/null -w '%{http_code}' http://169.254.169.254/latest/meta-data/")
    assert answer.stdout == "401"


@pytest.mark.parametrize(
    ("path", "wanted"), [("meta-data/iam/security-credentials/", "inside"), ("meta-data/tags/instance/role", "web")]
)
def test_metadata_category(cloud: Cloud, server: str, path: str, wanted: str) -> None:
    assert metadata(cloud, server, path) == wanted


def test_identity_document_names_the_instance_and_its_image(cloud: Cloud, server: str) -> None:
    document = json.loads(metadata(cloud, server, "dynamic/instance-identity/document"))
    seen = cloud.instance(server)
    assert (document["instanceId"], document["imageId"]) == (server, seen["ImageId"])


def test_metadata_v1_is_answered_where_the_launch_allows_it(cloud: Cloud) -> None:
    (instance_id,) = cloud.launch("--metadata-options", "HttpTokens=optional")
    cloud.wait_state(instance_id, "running")
    answer = cloud.ssh(instance_id, "curl -sf http://169.254.169.254/latest/meta-data/instance-id")
    assert answer.stdout == instance_id
    cloud.terminate(instance_id)


def test_tls_of_awss_names_is_trusted_inside_and_by_nobody_outside(cloud: Cloud, server: str) -> None:
    assert cloud.ssh(server, "curl -s https://ssm.us-east-1.amazonaws.com/").returncode == 0
    gateway = cloud.aws("ec2", "describe-vpcs")["Vpcs"][0]["CidrBlock"].replace(".0.0/16", ".0.1")
    port = json.loads((cloud.state / "cloud.json").read_text())["tls_port"]
    outside = cloud.run(
        "curl", "-sS", "--resolve", f"ssm.us-east-1.amazonaws.com:{port}:{gateway}",
        f"https://ssm.us-east-1.amazonaws.com:{port}/", check=False,
    )  # fmt: skip
    assert outside.returncode == 60, outside.stderr  # the certificate's issuer is unknown to the host


def test_security_group_is_enforced_between_machines_and_changes_at_once(cloud: Cloud, server: str) -> None:
    group = cloud.aws("ec2", "create-security-group", "--group-name", "closed", "--description", "x")["GroupId"]
    launched = cloud.aws(
        "ec2", "run-instances", "--image-id", cloud.base_image(), "--instance-type", "t3.small", "--key-name", "tests",
        "--security-group-ids", group,
    )  # fmt: skip
    closed = launched["Instances"][0]["InstanceId"]
    address = cloud.wait_state(closed, "running")["PrivateIpAddress"]
    cloud.pinned_host_keys(closed)
    knock = f"timeout 2 bash -c 'echo >/dev/tcp/{address}/22'"
    assert cloud.ssh(server, knock, check=False).returncode == 124  # silently dropped, as on EC2
    source = cloud.aws("ec2", "describe-security-groups", "--group-names", "tests")["SecurityGroups"][0]["GroupId"]
    cloud.aws("ec2", "authorize-security-group-ingress", "--group-id", group, "--protocol", "tcp", "--port", "22",
              "--source-group", source)  # fmt: skip
    wait_for("port 22 for members of `tests`", lambda: cloud.ssh(server, knock, check=False).returncode == 0)
    assert cloud.run("timeout", "2", "bash", "-c", f"echo >/dev/tcp/{address}/22", check=False).returncode == 124
    cloud.terminate(closed)
