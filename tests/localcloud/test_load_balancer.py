"""The local cloud's load balancer: what an ALB promises, driven by the stock aws CLI and boto3 and seen with real HTTP.

The servers of the module are healthy when a test begins and when it ends; a test that ends one launches its own.
"""

import http.client
import ipaddress
import threading
import time
from collections.abc import Iterator

import pytest

from tests.localcloud.balanced_site import Answer, Client, Site, build_site, get
from tests.localcloud.conftest import Cloud, wait_for


@pytest.fixture(scope="module")
def site(cloud: Cloud) -> Iterator[Site]:
    """A load balancer with a target group."""
    site = build_site(cloud, "site")
    yield site
    site.delete()


@pytest.fixture(scope="module")
def pair(site: Site) -> Iterator[tuple[str, str]]:
    """Two registered, healthy servers."""
    first, second = site.launch(2)
    site.register(first, second)
    site.wait_health(first, "healthy")
    site.wait_health(second, "healthy")
    yield first, second
    site.deregister(first, second)
    site.cloud.terminate(first, second)


@pytest.fixture
def third(site: Site, pair: tuple[str, str]) -> Iterator[str]:
    """A server beside the two that serves already and is not registered yet; it may be ended."""
    (instance_id,) = site.launch_serving()
    yield instance_id
    site.deregister(instance_id)
    site.cloud.terminate(instance_id)


def test_no_registered_target_answers_503(site: Site) -> None:
    assert get(site.url).status == 503


def test_load_balancer_is_active_at_an_address_of_its_subnet(site: Site) -> None:
    described = site.cloud.aws("elbv2", "describe-load-balancers", "--names", "site")["LoadBalancers"][0]
    subnet_id = described["AvailabilityZones"][0]["SubnetId"]
    subnet = site.cloud.aws("ec2", "describe-subnets", "--subnet-ids", subnet_id)["Subnets"][0]
    assert described["State"]["Code"] == "active"
    assert ipaddress.ip_address(described["DNSName"]) in ipaddress.ip_network(subnet["CidrBlock"])
    assert described["SecurityGroups"] == [site.balancer_group]
    assert described["Scheme"] == "internet-facing"


def test_launched_server_is_initial_and_healthy_as_soon_as_it_serves(site: Site) -> None:
    (instance_id,) = site.launch()
    site.register(instance_id)
    initial = site.health(instance_id)
    site.wait_health(instance_id, "healthy")
    healthy_at = time.monotonic()  # the machine's clock too
    served_at = site.inside(instance_id, "systemctl show --property ActiveEnterTimestampMonotonic --value app")
    site.deregister(instance_id)
    site.cloud.terminate(instance_id)
    assert initial["State"] == "initial"
    assert initial["Reason"] in ("Elb.RegistrationInProgress", "Elb.InitialHealthChecking")
    assert healthy_at - int(served_at) / 1e6 < 3


def test_both_healthy_servers_answer_in_turn(site: Site, pair: tuple[str, str]) -> None:
    assert site.hosts() == {site.hostname(one) for one in pair}


def test_forwarded_headers_are_as_an_alb_adds_them(site: Site, pair: tuple[str, str]) -> None:
    answer = get(site.url, {"X-Forwarded-For": "203.0.113.7"})
    gateway = str(ipaddress.ip_network(site.cloud.aws("ec2", "describe-vpcs")["Vpcs"][0]["CidrBlock"])[1])
    assert f'"x-forwarded-for": "203.0.113.7, {gateway}"' in answer.text
    assert '"x-forwarded-proto": "http"' in answer.text
    assert '"x-forwarded-port": "80"' in answer.text


def test_servers_own_error_is_passed_on(site: Site, pair: tuple[str, str]) -> None:
    site.behave(pair[0], 503)
    site.behave(pair[1], 503)
    answer = get(f"{site.url}/status")
    site.behave(pair[0], 200)
    site.behave(pair[1], 200)
    assert (answer.status, '"host"' in answer.text) == (503, True)


def test_target_that_closes_gives_502(site: Site, pair: tuple[str, str]) -> None:
    assert get(f"{site.url}/close").status == 502


def test_silent_target_gives_504_after_the_idle_timeout(site: Site, pair: tuple[str, str]) -> None:
    set_idle_timeout(site, 2)
    started = time.monotonic()
    status = get(f"{site.url}/silent").status
    took = time.monotonic() - started
    set_idle_timeout(site, 60)
    assert status == 504
    assert 1.5 < took < 6


def set_idle_timeout(site: Site, seconds: int) -> None:
    """Set the load balancer's idle timeout; HAProxy has it a moment later."""
    site.elb.modify_load_balancer_attributes(
        LoadBalancerArn=site.arn, Attributes=[{"Key": "idle_timeout.timeout_seconds", "Value": str(seconds)}]
    )
    configuration = next(site.cloud.state.glob("balancers/*/haproxy.cfg"))
    wait_for("new configuration", lambda: f"timeout server {seconds}s" in configuration.read_text())
    time.sleep(1)


def test_new_target_gets_no_request_before_its_first_passed_check(site: Site, third: str) -> None:
    site.behave(third, 500)
    site.register(third)
    others = set()
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        others.add(get(site.url).host)
    seen = site.health(third)
    site.behave(third, 200)
    site.wait_health(third, "healthy", 5)
    assert site.hostname(third) not in others
    assert seen["State"] == "initial"
    assert site.hostname(third) in site.hosts()


def test_failing_checks_make_a_server_unhealthy_within_15_seconds(site: Site, pair: tuple[str, str]) -> None:
    site.behave(pair[0], 503)
    health, took = site.wait_health(pair[0], "unhealthy", 20)
    hosts = site.hosts()
    site.behave(pair[0], 200)
    site.wait_health(pair[0], "healthy", 20)
    assert health["Reason"] == "Target.ResponseCodeMismatch"
    assert health["Description"] == "Health checks failed with these codes: [503]"
    assert took < 15
    assert hosts == {site.hostname(pair[1])}
    assert len(site.hosts()) == 2


def test_stopped_program_makes_a_server_unhealthy_within_15_seconds(site: Site, third: str) -> None:
    site.register(third)
    site.wait_health(third, "healthy", 10)
    site.inside(third, "systemctl stop app")
    health, took = site.wait_health(third, "unhealthy", 20)
    assert health["Reason"] == "Target.FailedHealthChecks"
    assert took < 15


def test_refused_connection_gives_502_and_is_not_sent_again(site: Site, third: str) -> None:
    site.register(third)
    site.wait_health(third, "healthy", 10)
    site.inside(third, "systemctl stop app")
    statuses = [get(site.url).status for _ in range(6)]
    assert statuses.count(502) == 2
    assert statuses.count(200) == 4


def test_silent_health_check_times_out(site: Site, third: str) -> None:
    site.inside(third, "systemctl kill --signal STOP app")
    site.register(third)
    health, _took = site.wait_health(third, "unhealthy", 30)
    site.inside(third, "systemctl kill --signal CONT app")
    assert health["Reason"] == "Target.Timeout"


def test_all_unhealthy_targets_get_traffic(site: Site, pair: tuple[str, str]) -> None:
    for one in pair:
        site.behave(one, 503)
    for one in pair:
        site.wait_health(one, "unhealthy", 20)
    hosts = site.hosts()
    for one in pair:
        site.behave(one, 200)
    for one in pair:
        site.wait_health(one, "healthy", 20)
    assert hosts == {site.hostname(one) for one in pair}


def test_deregistered_target_finishes_its_download_and_gets_nothing_new(site: Site, third: str) -> None:
    site.register(third)
    site.wait_health(third, "healthy", 10)
    download, client = Download(site, site.hostname(third)), Client(site)
    site.deregister(third)
    draining = site.health(third)
    while download.is_running():
        client.ask()
    _health, after = site.wait_health(third, "", 5)
    assert draining["State"] == "draining"
    assert draining["Reason"] == "Target.DeregistrationInProgress"
    assert [answer.text for answer in download.answers] == ["0123456789" * 8] * 3
    assert after < 3
    assert set(client.statuses) == {200}
    # The turn in which the balancer is told: a request before it may still go to the leaving server.
    assert site.hostname(third) not in client.hosts[len(client.hosts) // 4 :]


class Download:
    """Three slow downloads at once, so that each server has one."""

    def __init__(self, site: Site, hostname: str) -> None:
        self.answers: list[Answer] = []
        self._threads = [
            threading.Thread(target=lambda: self.answers.append(get(f"{site.url}/slow"))) for _ in range(3)
        ]
        for thread in self._threads:
            thread.start()
        time.sleep(0.5)

    def is_running(self) -> bool:
        """Say whether one is not finished."""
        return any(thread.is_alive() for thread in self._threads)


def test_idle_target_leaves_at_once_and_is_not_registered_then(site: Site, third: str) -> None:
    site.register(third)
    site.wait_health(third, "healthy", 10)
    site.deregister(third)
    _health, took = site.wait_health(third, "", 10)
    asked = site.elb.describe_target_health(TargetGroupArn=site.target_group, Targets=[{"Id": third}])
    assert took < 3
    health = asked["TargetHealthDescriptions"][0]["TargetHealth"]
    assert (health["State"], health["Reason"]) == ("unused", "Target.NotRegistered")


def test_deregistration_delay_ends_a_download_that_takes_longer(site: Site, third: str) -> None:
    set_delay(site, 1)
    site.register(third)
    site.wait_health(third, "healthy", 10)
    failures: list[str] = []

    def download() -> None:
        try:
            get(f"{site.url}/slow")
        except http.client.IncompleteRead:
            failures.append("cut")

    threads = [threading.Thread(target=download) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    site.deregister(third)
    _health, took = site.wait_health(third, "", 10)
    for thread in threads:
        thread.join()
    set_delay(site, 300)
    assert took < 3
    assert len(failures) == 1


def set_delay(site: Site, seconds: int) -> None:
    """Set the target group's deregistration delay."""
    site.elb.modify_target_group_attributes(
        TargetGroupArn=site.target_group,
        Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": str(seconds)}],
    )


def test_stopped_instance_is_unused_and_healthy_again_after_a_start(site: Site, third: str) -> None:
    unit = r"[Service]\nExecStart=python3 /srv/app.py\n[Install]\nWantedBy=multi-user.target\n"
    site.inside(third, f"printf '{unit}' >/etc/systemd/system/site.service; systemctl enable site")
    site.register(third)
    site.wait_health(third, "healthy", 10)
    site.cloud.ec2.stop_instances(InstanceIds=[third])
    health, _took = site.wait_health(third, "unused", 10)
    site.cloud.wait_state(third, "stopped")
    site.cloud.ec2.start_instances(InstanceIds=[third])
    site.wait_health(third, "healthy", 30)
    assert health["Reason"] == "Target.InvalidState"
    assert health["Description"] == "Target is in the stopped state"


def test_terminated_instance_is_unused_and_its_end_loses_no_later_request(site: Site, third: str) -> None:
    site.register(third)
    site.wait_health(third, "healthy", 10)
    site.cloud.ec2.terminate_instances(InstanceIds=[third])
    health, _took = site.wait_health(third, "unused", 10)
    statuses = [get(site.url).status for _ in range(10)]
    assert health["Reason"] == "Target.InvalidState"
    assert health["Description"] == "Target is in the terminated state"
    assert set(statuses) == {200}


def test_instance_that_does_not_run_cannot_be_registered(site: Site, third: str) -> None:
    site.cloud.ec2.stop_instances(InstanceIds=[third])
    site.cloud.wait_state(third, "stopped")
    refused = site.cloud.aws_refused(
        "elbv2", "register-targets", "--target-group-arn", site.target_group, "--targets", f"Id={third}"
    )
    assert "InvalidTarget" in refused


def test_server_lets_only_the_load_balancer_in(site: Site, pair: tuple[str, str]) -> None:
    address = site.cloud.instance(pair[0])["PrivateIpAddress"]
    direct = site.cloud.run("curl", "-s", "--max-time", "2", f"http://{address}/", check=False)
    assert direct.returncode == 28
    assert get(site.url).status == 200


def test_security_group_of_the_load_balancer_is_enforced(site: Site, pair: tuple[str, str]) -> None:
    permission = [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    site.cloud.ec2.revoke_security_group_ingress(GroupId=site.balancer_group, IpPermissions=permission)
    wait_for("closed", lambda: ask_with_curl(site) == 28)
    site.cloud.ec2.authorize_security_group_ingress(GroupId=site.balancer_group, IpPermissions=permission)
    wait_for("open again", lambda: ask_with_curl(site) == 0)
    assert get(site.url).status == 200


def ask_with_curl(site: Site) -> int:
    """Return curl's exit code; 28 is a time-out."""
    return site.cloud.run("curl", "-s", "-o", "/dev/null", "--max-time", "2", site.url, check=False).returncode


def test_name_works_from_a_machine_too(site: Site, pair: tuple[str, str]) -> None:
    assert site.inside(pair[0], f"curl -s -o /dev/null -w '%{{http_code}}' {site.url}/") == "200"


def test_events_tell_every_state_of_a_target(site: Site, third: str) -> None:
    site.register(third)
    site.wait_health(third, "healthy", 10)
    site.deregister(third)
    site.wait_health(third, "", 10)
    told = [event for event in site.events() if event["target"] == third]
    assert [event["state"] for event in told] == ["initial", "healthy", "draining", "gone"]
    assert {(event["load_balancer"], event["target_group"], event["port"]) for event in told} == {
        ("site", site.target_group, 80)
    }


def test_requests_are_told_with_their_target(site: Site, pair: tuple[str, str]) -> None:
    get(f'{site.url}/told?"quoted"&\u00e9'.encode("ascii", "ignore").decode())
    (line,) = wait_for("line", lambda: [one for one in site.requests() if one["path"] == "/told"])
    assert (line["status"], line["method"], line["load_balancer"], line["termination"]) == (200, "GET", "site", "--")
    assert line["target"] in pair
    assert line["target_group"] == site.target_group
    assert line["seconds"] < 5


def test_target_group_without_load_balancer_is_not_in_use(site: Site, pair: tuple[str, str]) -> None:
    vpc = site.cloud.aws("ec2", "describe-vpcs")["Vpcs"][0]["VpcId"]
    group = site.elb.create_target_group(Name="alone", Protocol="HTTP", Port=80, VpcId=vpc)["TargetGroups"][0]
    site.elb.register_targets(TargetGroupArn=group["TargetGroupArn"], Targets=[{"Id": pair[0]}])
    found = site.elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
    site.elb.delete_target_group(TargetGroupArn=group["TargetGroupArn"])
    assert found[0]["TargetHealth"]["Reason"] == "Target.NotInUse"


def test_network_load_balancer_is_refused(site: Site) -> None:
    subnet = site.cloud.aws("ec2", "describe-subnets")["Subnets"][0]["SubnetId"]
    refused = site.cloud.aws_refused(
        "elbv2", "create-load-balancer", "--name", "n", "--type", "network", "--subnets", subnet
    )
    assert "UnsupportedOperation" in refused
