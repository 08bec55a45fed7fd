"""The VPC's resolver: AWS's own names lead to the local cloud, everything else to the host's resolvers.

A machine therefore needs no setting to find the local AWS, and can never reach the real one by name. Source of the
internal names: VPC user guide, "DNS attributes for your VPC". Neighbours: server, which runs it.
"""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import dnslib
import dnslib.server

AWS_SUFFIXES = (".amazonaws.com", ".api.aws")
INTERNAL_NAME = re.compile(r"^ip-(\d+)-(\d+)-(\d+)-(\d+)\.(ec2\.internal|[a-z0-9-]+\.compute\.internal)$")
TTL_SECONDS = 5
FORWARD_TIMEOUT_SECONDS = 3.0


@dataclass(frozen=True)
class Names(dnslib.server.BaseResolver):
    """Answers the machines' questions; `special` knows names that are neither the API's nor an instance's."""

    gateway: str
    network: ipaddress.IPv4Network
    upstreams: tuple[str, ...]
    special: Callable[[str], str | None] = lambda _name: None

    def resolve(self, request: dnslib.DNSRecord, handler: object) -> dnslib.DNSRecord:  # noqa: ARG002  dnslib's signature
        """Return the answer to one question."""
        name = str(request.q.qname).rstrip(".").lower()
        if not self.is_ours(name):
            return self._forward(request)
        reply = request.reply()
        address = self.address(name)
        if address is None:
            reply.header.rcode = dnslib.RCODE.NXDOMAIN
        elif request.q.qtype in (dnslib.QTYPE.A, dnslib.QTYPE.ANY):
            reply.add_answer(dnslib.RR(request.q.qname, dnslib.QTYPE.A, rdata=dnslib.A(address), ttl=TTL_SECONDS))
        return reply

    def is_ours(self, name: str) -> bool:
        """Say whether a name is AWS's or the VPC's own, and so must never be asked elsewhere."""
        return name.endswith(AWS_SUFFIXES) or name.endswith(".internal") or self.special(name) is not None

    def address(self, name: str) -> str | None:
        """Return the address of a name of ours, None where there is none."""
        special = self.special(name)
        if special is not None:
            return special
        internal = INTERNAL_NAME.match(name)
        if internal:
            address = ipaddress.IPv4Address(".".join(internal.groups()[:4]))
            return str(address) if address in self.network else None
        return self.gateway if name.endswith(AWS_SUFFIXES) else None

    def _forward(self, request: dnslib.DNSRecord) -> dnslib.DNSRecord:
        for upstream in self.upstreams:
            try:
                return dnslib.DNSRecord.parse(request.send(upstream, 53, timeout=FORWARD_TIMEOUT_SECONDS))
            except (TimeoutError, OSError, dnslib.DNSError):
                continue
        reply = request.reply()
        reply.header.rcode = dnslib.RCODE.SERVFAIL
        return reply


def host_resolvers(resolv_conf: Path = Path("/etc/resolv.conf")) -> tuple[str, ...]:
    """Return the IPv4 name servers of this host."""
    words = [line.split() for line in resolv_conf.read_text().splitlines()]
    return tuple(parts[1] for parts in words if len(parts) > 1 and parts[0] == "nameserver" and ":" not in parts[1])
