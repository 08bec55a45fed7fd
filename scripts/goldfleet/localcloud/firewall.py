"""Security groups as packet filters: a pure rendering, and its enforcement in one machine's network namespace.

What a security group never filters on EC2 is let through here too: the metadata service and the VPC's resolver
(VPC user guide, "Control traffic to your AWS resources using security groups"). Refused packets are dropped silently, so
a client sees a time-out, as on EC2.
"""

import subprocess
from dataclasses import dataclass

from goldfleet.errors import GoldfleetError
from goldfleet.localcloud.network import METADATA_ADDRESS

PROTOCOL_NUMBERS = {"tcp": "tcp", "udp": "udp", "icmp": "icmp", "6": "tcp", "17": "udp", "1": "icmp"}

# The bridge carries IPv4 only; link-local IPv6 between machines would be a way round the groups.
IPV6_RULES = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n-A INPUT -i lo -j ACCEPT\nCOMMIT\n"


@dataclass(frozen=True)
class Permission:
    """One rule of a security group, with its referenced groups resolved to addresses."""

    protocol: str  # "tcp", "udp", "icmp", a number, or "-1" for all
    from_port: int | None
    to_port: int | None
    peers: tuple[str, ...]  # CIDR blocks


@dataclass(frozen=True)
class Filters:
    """Everything that may reach a machine and everything that it may reach."""

    ingress: tuple[Permission, ...]
    egress: tuple[Permission, ...]


def render(filters: Filters, resolver: str) -> str:
    """Return the machine's filter table in iptables-restore's format; `resolver` is the address of the VPC's resolver."""
    lines = [
        "*filter",
        ":INPUT DROP [0:0]",
        ":FORWARD DROP [0:0]",
        ":OUTPUT DROP [0:0]",
        "-A INPUT -i lo -j ACCEPT",
        "-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
        "-A OUTPUT -o lo -j ACCEPT",
        "-A OUTPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
        f"-A OUTPUT -d {METADATA_ADDRESS} -j ACCEPT",
        f"-A OUTPUT -d {resolver} -p udp --dport 53 -j ACCEPT",
        f"-A OUTPUT -d {resolver} -p tcp --dport 53 -j ACCEPT",
    ]
    lines += sorted({line for permission in filters.ingress for line in _accepts("INPUT", "-s", permission)})
    lines += sorted({line for permission in filters.egress for line in _accepts("OUTPUT", "-d", permission)})
    return "\n".join([*lines, "COMMIT", ""])


def enforce(pid: int, table: str) -> None:
    """Replace the filter tables in the network namespace of process `pid`, each in one step."""
    for program, rules in (("iptables-restore", table), ("ip6tables-restore", IPV6_RULES)):
        done = subprocess.run(
            ["nsenter", "--target", str(pid), "--net", program, "--wait"],
            input=rules, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise GoldfleetError(f"Security groups could not be enforced ({program}): {done.stderr.strip()}")


def _accepts(chain: str, side: str, permission: Permission) -> list[str]:
    match = ""
    if permission.protocol != "-1":
        match = f" -p {PROTOCOL_NUMBERS.get(permission.protocol, permission.protocol)}"
        if permission.protocol in ("tcp", "udp", "6", "17") and permission.from_port not in (None, -1):
            match += f" --dport {permission.from_port}:{permission.to_port}"
    return [f"-A {chain} {side} {peer}{match} -j ACCEPT" for peer in permission.peers]
