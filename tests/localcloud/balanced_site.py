"""A site behind a load balancer for the tests: servers whose behaviour is a file on them, and looks at both logs."""

import functools
import http.client
import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from tests.localcloud.conftest import Cloud, wait_for

PROGRAM = Path(__file__).with_name("balanced_app.py")
USER_DATA = f"""#!/bin/sh
mkdir -p /srv && echo 200 >/srv/status
cat >/srv/app.py <<'END'
{PROGRAM.read_text()}END
systemd-run --unit app python3 /srv/app.py
"""
HEALTH_CHECK = {
    "HealthCheckPath": "/health",
    "HealthCheckIntervalSeconds": 5,
    "HealthCheckTimeoutSeconds": 2,
    "HealthyThresholdCount": 2,
    "UnhealthyThresholdCount": 2,
}


@dataclass(frozen=True)
class Answer:
    """What a client got."""

    status: int
    text: str
    headers: dict[str, str]

    @property
    def host(self) -> str:
        """The host name of the server that answered."""
        return str(json.loads(self.text)["host"])


def get(url: str, headers: dict[str, str] | None = None, timeout: float = 20) -> Answer:
    """Ask once, without following redirects; any status is an answer."""
    opener = urllib.request.build_opener(NoRedirects)
    try:
        with opener.open(urllib.request.Request(url, headers=headers or {}), timeout=timeout) as response:  # noqa: S310
            return Answer(response.status, response.read().decode(), dict(response.headers))
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read().decode(), dict(error.headers))


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """Leaves redirects to be looked at."""

    def redirect_request(self, *arguments: Any, **options: Any) -> None:
        """Follow nothing."""


@dataclass(frozen=True)
class Site:
    """A load balancer with one HTTP listener that forwards to one target group, and the security groups of both sides."""

    cloud: Cloud
    name: str
    arn: str
    address: str
    listener: str
    target_group: str
    balancer_group: str
    server_group: str

    @property
    def url(self) -> str:
        """The address clients ask."""
        return f"http://{self.address}"

    @functools.cached_property
    def elb(self) -> Any:
        """A boto3 client of ELBv2."""
        return client(self.cloud, "elbv2")

    def launch(self, count: int = 1) -> list[str]:
        """Launch servers of this site and wait until they run; they are not registered."""
        launched = self.cloud.ec2.run_instances(
            ImageId=self.cloud.base_image(), InstanceType="t3.small", MinCount=count, MaxCount=count,
            SecurityGroupIds=[self.server_group], UserData=USER_DATA,
        )  # fmt: skip
        instance_ids = [instance["InstanceId"] for instance in launched["Instances"]]
        for instance_id in instance_ids:
            self.cloud.wait_state(instance_id, "running")
        return instance_ids

    def launch_serving(self, count: int = 1) -> list[str]:
        """Launch servers and wait until their program answers; they are not registered."""
        instance_ids = self.launch(count)
        for instance_id in instance_ids:
            self.inside(instance_id, f"until {IS_SERVING}; do sleep 0.2; done")
        return instance_ids

    def register(self, *instance_ids: str) -> None:
        """Register servers."""
        self.elb.register_targets(TargetGroupArn=self.target_group, Targets=[{"Id": one} for one in instance_ids])

    def deregister(self, *instance_ids: str) -> None:
        """Deregister servers."""
        self.elb.deregister_targets(TargetGroupArn=self.target_group, Targets=[{"Id": one} for one in instance_ids])

    def health(self, instance_id: str) -> dict[str, str]:
        """Return what DescribeTargetHealth says of a server, {} when it does not list it."""
        found = self.elb.describe_target_health(TargetGroupArn=self.target_group)["TargetHealthDescriptions"]
        return next((one["TargetHealth"] for one in found if one["Target"]["Id"] == instance_id), {})

    def wait_health(self, instance_id: str, state: str, seconds: float = 60) -> tuple[dict[str, str], float]:
        """Wait until a server has a state ("" for not listed); return its health and how long it took."""
        started = time.monotonic()

        def look() -> tuple[dict[str, str]] | None:
            health = self.health(instance_id)
            return (health,) if health.get("State", "") == state else None

        (health,) = wait_for(f"{instance_id} {state or 'gone'}", look, seconds)
        return health, time.monotonic() - started

    def behave(self, instance_id: str, status: int) -> None:
        """Have a server answer its health checks with a status."""
        self.inside(instance_id, f"echo {status} >/srv/status")

    def inside(self, instance_id: str, script: str, *, check: bool = True) -> str:
        """Run a script on a server, past all security groups."""
        cloud_id = json.loads((self.cloud.state / "cloud.json").read_text())["cloud_id"]
        machine = f"goldfleet-{cloud_id}-{instance_id}"
        return self.cloud.run("podman", "exec", machine, "sh", "-c", script, check=check).stdout.strip()

    def hostname(self, instance_id: str) -> str:
        """Return a server's host name."""
        return str(self.cloud.instance(instance_id)["PrivateDnsName"].partition(".")[0])

    def hosts(self, requests: int = 12) -> set[str]:
        """Return which servers answer."""
        return {get(self.url).host for _ in range(requests)}

    def events(self) -> list[dict[str, Any]]:
        """Return the log of state changes."""
        return read_lines(self.cloud.state / "balancer-events.jsonl")

    def requests(self) -> list[dict[str, Any]]:
        """Return the log of requests."""
        return read_lines(self.cloud.state / "balancer-access.jsonl")

    def delete(self, *instance_ids: str) -> None:
        """Take the site down."""
        self.elb.delete_load_balancer(LoadBalancerArn=self.arn)
        self.elb.delete_target_group(TargetGroupArn=self.target_group)
        if instance_ids:
            self.cloud.terminate(*instance_ids)


IS_SERVING = "curl -s -o /dev/null http://localhost/"


def client(cloud: Cloud, service: str) -> Any:
    """Return a boto3 client of a service of the local cloud."""
    make: Any = boto3.client  # its types know services by literal names only
    return make(
        service, region_name=cloud.env["AWS_REGION"], endpoint_url=cloud.env["AWS_ENDPOINT_URL"],
        aws_access_key_id=cloud.env["AWS_ACCESS_KEY_ID"], aws_secret_access_key=cloud.env["AWS_SECRET_ACCESS_KEY"],
    )  # fmt: skip


def read_lines(file: Path) -> list[dict[str, Any]]:
    """Return the JSON objects of a file."""
    return [json.loads(line) for line in file.read_text().splitlines()]


def build_site(cloud: Cloud, name: str) -> Site:
    """Make a site with the stock aws CLI, as its user would; wait until it is active."""
    vpc = cloud.aws("ec2", "describe-vpcs")["Vpcs"][0]["VpcId"]
    subnets = [subnet["SubnetId"] for subnet in cloud.aws("ec2", "describe-subnets")["Subnets"]][:2]
    balancer_group, server_group = (
        cloud.aws("ec2", "create-security-group", "--group-name", group, "--description", group)["GroupId"]
        for group in (f"{name}-balancer", f"{name}-server")
    )
    cloud.aws("ec2", "authorize-security-group-ingress", "--group-id", balancer_group, "--protocol", "tcp",
              "--port", "80", "--cidr", "0.0.0.0/0")  # fmt: skip
    cloud.aws("ec2", "authorize-security-group-ingress", "--group-id", server_group, "--protocol", "tcp",
              "--port", "80", "--source-group", balancer_group)  # fmt: skip
    balancer = cloud.aws(
        "elbv2", "create-load-balancer", "--name", name, "--subnets", *subnets, "--security-groups", balancer_group
    )["LoadBalancers"][0]
    elb = client(cloud, "elbv2")
    group = elb.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=vpc, **HEALTH_CHECK)["TargetGroups"][0]
    listener = cloud.aws(
        "elbv2", "create-listener", "--load-balancer-arn", balancer["LoadBalancerArn"], "--protocol", "HTTP",
        "--port", "80", "--default-actions", f"Type=forward,TargetGroupArn={group['TargetGroupArn']}",
    )["Listeners"][0]  # fmt: skip
    cloud.run(
        str(cloud.env["PATH"].split(":")[0]) + "/aws", "elbv2", "wait", "load-balancer-available", "--names", name
    )
    return Site(
        cloud, name, balancer["LoadBalancerArn"], balancer["DNSName"], listener["ListenerArn"], group["TargetGroupArn"],
        balancer_group, server_group,
    )  # fmt: skip


class Client:
    """A client that keeps its connection, asks again and again, and remembers what it got."""

    def __init__(self, site: Site) -> None:
        self._connection = http.client.HTTPConnection(site.address, 80, timeout=20)
        self.statuses: list[int] = []
        self.hosts: list[str] = []

    def ask(self) -> None:
        """Ask once on the same connection; a connection that is lost fails the test."""
        self._connection.request("GET", "/")
        response = self._connection.getresponse()
        self.statuses.append(response.status)
        self.hosts.append(json.loads(response.read())["host"])
