"""Listeners of the local cloud's load balancer: HTTPS with certificates of ACM, rules, redirects, several load balancers."""

import datetime
import http.client
import socket
import ssl
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.localcloud.balanced_site import Site, build_site, client, get
from tests.localcloud.conftest import Cloud, wait_for


@pytest.fixture(scope="module")
def site(cloud: Cloud) -> Iterator[Site]:
    """A load balancer whose clients may use port 443 too, with one healthy server."""
    site = build_site(cloud, "listeners")
    cloud.aws("ec2", "authorize-security-group-ingress", "--group-id", site.balancer_group, "--protocol", "tcp",
              "--port", "443", "--cidr", "0.0.0.0/0")  # fmt: skip
    (server,) = site.launch()
    site.register(server)
    site.wait_health(server, "healthy")
    yield site
    site.delete(server)


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate and its key, as files."""

    certificate: Path
    key: Path


def make_certificate(folder: Path, name: str) -> Certificate:
    """Make a self-signed certificate for a host name."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = Certificate(folder / f"{name}.crt", folder / f"{name}.key")
    files.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    files.key.write_bytes(key.private_bytes(pem, pkcs8, plain))
    return files


def import_certificate(site: Site, files: Certificate) -> str:
    """Import a certificate into ACM with the stock aws CLI and return its ARN."""
    imported = site.cloud.aws(
        "acm", "import-certificate", "--certificate", f"fileb://{files.certificate}", "--private-key",
        f"fileb://{files.key}",
    )  # fmt: skip
    return str(imported["CertificateArn"])


@pytest.fixture(scope="module")
def secure(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Certificate]]:
    """An HTTPS listener with an imported certificate for first.example.com."""
    files = make_certificate(tmp_path_factory.mktemp("certificates"), "first.example.com")
    arn = site.cloud.aws(
        "elbv2", "create-listener", "--load-balancer-arn", site.arn, "--protocol", "HTTPS", "--port", "443",
        "--certificates", f"CertificateArn={import_certificate(site, files)}",
        "--default-actions", f"Type=forward,TargetGroupArn={site.target_group}",
    )["Listeners"][0]["ListenerArn"]  # fmt: skip
    wait_for("HTTPS", lambda: served_name(site, "first.example.com"))
    yield arn, files
    site.elb.delete_listener(ListenerArn=arn)


def served_name(site: Site, asked: str) -> str:
    """Return the name in the certificate that a client is shown who asks for a host; "" when nobody answers."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with context.wrap_socket(socket.create_connection((site.address, 443), 2), server_hostname=asked) as seen:
            shown = x509.load_der_x509_certificate(seen.getpeercert(binary_form=True) or b"")
    except OSError:
        return ""
    return str(shown.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def curl(site: Site, files: Certificate, *options: str) -> str:
    """Ask over HTTPS, the certificate checked, and return what was answered."""
    return site.cloud.run(
        "curl", "-sS", "--max-time", "10", "--cacert", str(files.certificate), "--resolve",
        f"{files.certificate.stem}:443:{site.address}", *options, f"https://{files.certificate.stem}/",
    ).stdout  # fmt: skip


def test_https_with_an_imported_certificate_is_verified_and_forwarded(
    site: Site, secure: tuple[str, Certificate]
) -> None:
    answer = curl(site, secure[1])
    assert '"x-forwarded-proto": "https"' in answer
    assert '"x-forwarded-port": "443"' in answer


def test_https_speaks_http_2(site: Site, secure: tuple[str, Certificate]) -> None:
    assert curl(site, secure[1], "-o", "/dev/null", "-w", "%{http_version}") == "2"


def test_added_certificate_is_chosen_by_name(site: Site, secure: tuple[str, Certificate], tmp_path: Path) -> None:
    second = import_certificate(site, make_certificate(tmp_path, "second.example.com"))
    site.cloud.aws("elbv2", "add-listener-certificates", "--listener-arn", secure[0], "--certificates",
                   f"CertificateArn={second}")  # fmt: skip
    wait_for("second", lambda: served_name(site, "second.example.com") == "second.example.com")
    assert served_name(site, "first.example.com") == "first.example.com"
    site.elb.remove_listener_certificates(ListenerArn=secure[0], Certificates=[{"CertificateArn": second}])
    wait_for("only the first", lambda: served_name(site, "second.example.com") == "first.example.com")


def test_requested_certificate_replaces_the_default(site: Site, secure: tuple[str, Certificate]) -> None:
    before = site.elb.describe_listener_certificates(ListenerArn=secure[0])["Certificates"][0]["CertificateArn"]
    requested = client(site.cloud, "acm").request_certificate(DomainName="third.example.com")["CertificateArn"]
    site.elb.modify_listener(ListenerArn=secure[0], Certificates=[{"CertificateArn": requested}])
    wait_for("third", lambda: served_name(site, "anything") == "third.example.com")
    site.elb.modify_listener(ListenerArn=secure[0], Certificates=[{"CertificateArn": before}])
    wait_for("first again", lambda: served_name(site, "anything") == "first.example.com")
    assert get(site.url).status == 200


@pytest.mark.parametrize("options", [(), ("--certificates", "CertificateArn=arn:aws:acm:us-east-1:123456789012:x")])
def test_https_listener_without_a_certificate_that_exists_is_refused(site: Site, options: tuple[str, ...]) -> None:
    refused = site.cloud.aws_refused(
        "elbv2", "create-listener", "--load-balancer-arn", site.arn, "--protocol", "HTTPS", "--port", "8443", *options,
        "--default-actions", f"Type=forward,TargetGroupArn={site.target_group}",
    )  # fmt: skip
    assert ("CertificateNotFound" if options else "ValidationError") in refused


def add_rule(site: Site, priority: int, conditions: str, actions: str) -> str:
    """Add a rule to the HTTP listener with the stock aws CLI; return its ARN."""
    made = site.cloud.aws(
        "elbv2", "create-rule", "--listener-arn", site.listener, "--priority", str(priority), "--conditions", conditions,
        "--actions", actions,
    )  # fmt: skip
    return str(made["Rules"][0]["RuleArn"])


def test_fixed_response_of_the_first_rule_that_is_met(site: Site) -> None:
    fixed = "Type=fixed-response,FixedResponseConfig={{StatusCode={},ContentType=text/plain,MessageBody={}}}"
    rules = [
        add_rule(site, 20, "Field=path-pattern,Values=/fixed*", fixed.format(410, "later")),
        add_rule(site, 10, "Field=path-pattern,Values=/fixed/?", fixed.format(404, "its-gone")),
    ]
    wait_for("rules", lambda: get(f"{site.url}/fixed/1").status == 404)
    assert get(f"{site.url}/fixed/1").text == "its-gone"
    assert get(f"{site.url}/fixed/12").status == 410
    assert get(f"{site.url}/other").status == 200
    for rule in rules:
        site.elb.delete_rule(RuleArn=rule)
    wait_for("rules gone", lambda: get(f"{site.url}/fixed/1").status == 200)


def test_redirect_keeps_host_path_and_query(site: Site) -> None:
    rule = add_rule(site, 30, "Field=path-pattern,Values=/moved/*",
                    "Type=redirect,RedirectConfig={Protocol=HTTPS,Port=443,StatusCode=HTTP_301}")  # fmt: skip
    wait_for("rule", lambda: get(f"{site.url}/moved/a").status == 301)
    with_query, without = get(f"{site.url}/moved/a?b=c"), get(f"{site.url}/moved/a")
    site.elb.delete_rule(RuleArn=rule)
    assert with_query.headers["location"] == f"https://{site.address}:443/moved/a?b=c"
    assert without.headers["location"] == f"https://{site.address}:443/moved/a"


def test_host_header_chooses_another_target_group(site: Site) -> None:
    vpc = site.cloud.aws("ec2", "describe-vpcs")["Vpcs"][0]["VpcId"]
    group = site.elb.create_target_group(Name="empty", Protocol="HTTP", Port=80, VpcId=vpc)["TargetGroups"][0]
    rule = add_rule(site, 40, "Field=host-header,Values=*.empty.example.com",
                    f"Type=forward,TargetGroupArn={group['TargetGroupArn']}")  # fmt: skip
    headers = {"Host": "A.Empty.example.com"}
    wait_for("rule", lambda: get(site.url, headers).status == 503)
    assert get(site.url).status == 200
    site.elb.delete_rule(RuleArn=rule)
    wait_for("rule gone", lambda: get(site.url, headers).status == 200)
    site.elb.delete_target_group(TargetGroupArn=group["TargetGroupArn"])


def test_change_of_listeners_loses_no_request(site: Site) -> None:
    answers = []
    for number in range(3):
        rule = add_rule(site, 50 + number, f"Field=path-pattern,Values=/reload{number}",
                        "Type=fixed-response,FixedResponseConfig={StatusCode=404}")  # fmt: skip
        wait_for("rule", lambda one=number: answers.append(get(site.url).status)  # type: ignore[func-returns-value, misc]
                 or get(f"{site.url}/reload{one}").status == 404)  # fmt: skip
        site.elb.delete_rule(RuleArn=rule)
    assert set(answers) == {200}


def test_request_on_a_connection_that_is_older_than_a_change_is_forwarded(site: Site) -> None:
    connections = [http.client.HTTPConnection(site.address, timeout=20) for _ in range(3)]
    for connection in connections:
        connection.connect()
    get(site.url)  # asked after them, so they have been accepted
    rule = add_rule(
        site, 60, "Field=path-pattern,Values=/older", "Type=fixed-response,FixedResponseConfig={StatusCode=404}"
    )
    wait_for("rule", lambda: get(f"{site.url}/older").status == 404)
    for connection in connections:
        connection.request("GET", "/")
    statuses = [connection.getresponse().status for connection in connections]
    site.elb.delete_rule(RuleArn=rule)
    assert statuses == [200, 200, 200]


def test_second_load_balancer_works_beside_the_first_and_is_removed(site: Site) -> None:
    second = build_site(site.cloud, "second")
    refused = site.cloud.aws_refused(
        "elbv2", "create-listener", "--load-balancer-arn", second.arn, "--protocol", "HTTP", "--port", "81",
        "--default-actions", f"Type=forward,TargetGroupArn={site.target_group}",
    )  # fmt: skip
    statuses = (get(second.url).status, get(site.url).status)
    machine = f"elb-{second.arn.rpartition('/')[2]}"
    running = machine in site.cloud.run("podman", "ps").stdout
    second.delete()
    wait_for("machine gone", lambda: machine not in site.cloud.run("podman", "ps", "--all").stdout)
    assert statuses == (503, 200)
    assert running
    assert "TargetGroupAssociationLimit" in refused


def test_deletion_protection_is_kept(site: Site) -> None:
    def protect(value: str) -> None:
        site.elb.modify_load_balancer_attributes(
            LoadBalancerArn=site.arn, Attributes=[{"Key": "deletion_protection.enabled", "Value": value}]
        )

    protect("true")
    refused = site.cloud.aws_refused("elbv2", "delete-load-balancer", "--load-balancer-arn", site.arn)
    protect("false")
    assert "OperationNotPermitted" in refused


def test_security_group_of_a_load_balancer_cannot_be_deleted(site: Site) -> None:
    refused = site.cloud.aws_refused("ec2", "delete-security-group", "--group-id", site.balancer_group)
    assert "DependencyViolation" in refused


def test_load_balancer_whose_machine_was_killed_comes_back(site: Site) -> None:
    machine = f"elb-{site.arn.rpartition('/')[2]}"
    found = site.cloud.run("podman", "ps", "--quiet", "--filter", f"label=goldfleet.load-balancer={machine}")
    site.cloud.run("podman", "kill", found.stdout.strip())
    answer = site.cloud.run("curl", "-s", "--retry", "15", "--retry-delay", "1", "--retry-all-errors", "-o", "/dev/null",
                            "-w", "%{http_code}", "--max-time", "20", site.url)  # fmt: skip
    assert answer.stdout.endswith("200")


PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  tasks:
    - community.aws.elb_target_group:
        name: by-ansible
        protocol: http
        port: 80
        vpc_id: "{{ vpc }}"
        health_check_protocol: http
        health_check_path: /health
        health_check_interval: 5
        health_check_timeout: 2
        healthy_threshold_count: 2
        unhealthy_threshold_count: 2
        successful_response_codes: "200"
        deregistration_delay_timeout: 30
        stickiness_enabled: false
        stickiness_type: lb_cookie
        stickiness_lb_cookie_duration: 86400
        load_balancing_algorithm_type: round_robin
        target_type: instance
        tags: {made-by: ansible}
        modify_targets: false
        state: present
    - amazon.aws.elb_application_lb:
        name: by-ansible
        subnets: "{{ subnets }}"
        security_groups: ["{{ group }}"]
        listeners:
          - {Protocol: HTTP, Port: 80, DefaultActions: [{Type: forward, TargetGroupName: by-ansible}]}
        wait: true
        state: present
"""


def test_ansible_changes_nothing_on_its_second_run(site: Site, tmp_path: Path) -> None:
    playbook = tmp_path / "site.yml"
    playbook.write_text(PLAYBOOK)
    subnets = [subnet["SubnetId"] for subnet in site.cloud.aws("ec2", "describe-subnets")["Subnets"]][:2]
    vpc = site.cloud.aws("ec2", "describe-vpcs")["Vpcs"][0]["VpcId"]
    variables = f"{{vpc: {vpc}, group: {site.balancer_group}, subnets: {subnets}}}"
    run = [str(Path(site.cloud.env["PATH"].split(":")[0]) / "ansible-playbook"), "-i", "localhost,", "-c", "local",
           "-e", variables, str(playbook)]  # fmt: skip
    first = site.cloud.run(*run).stdout
    second = site.cloud.run(*run).stdout
    made = site.cloud.aws("elbv2", "describe-load-balancers", "--names", "by-ansible")["LoadBalancers"][0]
    status = get(f"http://{made['DNSName']}").status
    site.elb.delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])
    group = site.elb.describe_target_groups(Names=["by-ansible"])["TargetGroups"][0]["TargetGroupArn"]
    site.elb.delete_target_group(TargetGroupArn=group)
    assert "changed=2" in first
    assert "changed=0" in second, second
    assert status == 503


def test_plain_http_on_the_https_port_is_refused(site: Site, secure: tuple[str, Certificate]) -> None:
    with pytest.raises(OSError, match=r"."):
        urllib.request.urlopen(f"http://{site.address}:443/", timeout=5)
