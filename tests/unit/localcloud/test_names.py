"""The VPC's resolver."""

import ipaddress
from pathlib import Path

import dnslib
import pytest

from goldfleet.localcloud.names import Names, host_resolvers

NAMES = Names("10.64.0.1", ipaddress.IPv4Network("10.64.0.0/16"), upstreams=())


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("ec2.us-east-1.amazonaws.com", "10.64.0.1"),
        ("bucket.s3.us-west-2.amazonaws.com", "10.64.0.1"),
        ("ip-10-64-0-7.ec2.internal", "10.64.0.7"),
        ("ip-10-64-0-7.eu-west-1.compute.internal", "10.64.0.7"),
        ("ip-8-8-8-8.ec2.internal", None),
        ("nonsense.ec2.internal", None),
    ],
)
def test_names_of_aws_and_of_the_vpc(name: str, address: str | None) -> None:
    assert NAMES.is_ours(name)
    assert NAMES.address(name) == address


@pytest.mark.parametrize("name", ["example.com", "notamazonaws.com", "amazonaws.com.example.org"])
def test_other_names_are_not_ours(name: str) -> None:
    assert not NAMES.is_ours(name)


def test_question_is_answered_case_insensitively() -> None:
    reply = NAMES.resolve(dnslib.DNSRecord.question("STS.amazonaws.com."), None)
    assert [str(answer.rdata) for answer in reply.rr] == ["10.64.0.1"]


def test_unknown_internal_name_does_not_exist_and_is_not_asked_elsewhere() -> None:
    reply = NAMES.resolve(dnslib.DNSRecord.question("nobody.ec2.internal"), None)
    assert (reply.header.rcode, reply.rr) == (dnslib.RCODE.NXDOMAIN, [])


def test_ipv6_question_for_our_name_has_an_empty_answer() -> None:
    reply = NAMES.resolve(dnslib.DNSRecord.question("sts.amazonaws.com", "AAAA"), None)
    assert (reply.header.rcode, reply.rr) == (dnslib.RCODE.NOERROR, [])


def test_foreign_name_without_a_resolver_fails() -> None:
    reply = NAMES.resolve(dnslib.DNSRecord.question("example.com"), None)
    assert reply.header.rcode == dnslib.RCODE.SERVFAIL


def test_host_resolvers_are_read_from_resolv_conf(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("# comment\nsearch x\nnameserver 192.0.2.1\nnameserver 2001:db8::1\nnameserver 192.0.2.2\n")
    assert host_resolvers(file) == ("192.0.2.1", "192.0.2.2")
