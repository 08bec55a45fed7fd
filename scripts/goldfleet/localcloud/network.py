"""The default VPC's network on the host: a bridge of its own, its redirects, and the unreachable route below it.

Everything made here carries the cloud's label or comment, so that `remove_network` finds it without any state. Order
matters: the unreachable route stands from before the bridge is made until after it is gone, so that a packet to a stale
address never leaves the machine by the default route.
"""

import ipaddress
import json
import subprocess
from collections.abc import Iterable

from goldfleet.errors import AwsError, RefusedError
from goldfleet.localcloud.podman import Podman
from goldfleet.localcloud.state import CloudState

CANDIDATE_RANGES = tuple(ipaddress.IPv4Network(f"10.{second}.0.0/16") for second in range(64, 96))
METADATA_ADDRESS = "169.254.169.254"
LOWEST_PRIORITY = "4294967295"


def choose_range(wanted: str | None, taken: Iterable[ipaddress.IPv4Network]) -> ipaddress.IPv4Network:
    """Return the range for the default VPC: the wanted one, or the first candidate that overlaps nothing taken.

    Raises RefusedError naming what overlaps when the wanted range is taken or no candidate is free, and when the wanted
    range is not a private /16.
    """
    taken = tuple(taken)
    if wanted is None:
        for candidate in CANDIDATE_RANGES:
            if not any(candidate.overlaps(other) for other in taken):
                return candidate
        raise RefusedError(
            "No /16 from 10.64.0.0/16 to 10.95.0.0/16 is free for the local cloud.",
            "Give one with --network 10.A.0.0/16.",
        )
    try:
        network = ipaddress.IPv4Network(wanted)
    except ValueError as error:
        raise RefusedError(
            f"--network {wanted} is not an IPv4 range: {error}.", "Give a /16 such as 10.80.0.0/16."
        ) from error
    if network.prefixlen != 16 or not network.is_private:
        raise RefusedError(f"--network {wanted} is not a private /16.", "Give one such as 10.80.0.0/16.")
    overlapping = [str(other) for other in taken if network.overlaps(other)]
    if overlapping:
        raise RefusedError(
            f"The address range {wanted} is taken on this host: it overlaps {', '.join(overlapping)}.",
            "Give another with --network, or leave it out to have a free one chosen.",
        )
    return network


def taken_ranges() -> list[ipaddress.IPv4Network]:
    """Return the ranges that this host's routes and podman's networks use."""
    taken: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = [
        _route_network(route["dst"]) for route in json.loads(_run("ip", "-4", "-json", "route", "show"))
    ]
    names = Podman().run("network", "ls", "--quiet").split()
    for network in Podman().json("network", "inspect", *names) if names else []:
        taken += [ipaddress.ip_network(subnet["subnet"]) for subnet in network.get("subnets") or []]
    return [network for network in taken if isinstance(network, ipaddress.IPv4Network) and network.prefixlen > 0]


def create_network(state: CloudState, owner: str) -> None:
    """Make the route, the podman network and the redirects of a cloud; `owner` is a label for the network."""
    _run("ip", "route", "add", "unreachable", state.cidr, "metric", LOWEST_PRIORITY)
    Podman().run(
        "network", "create", "--subnet", state.cidr, "--gateway", state.gateway, "--label", state.label, "--label", owner,
        "--disable-dns", state.network_name,
    )  # fmt: skip
    bridge = Podman().json("network", "inspect", state.network_name)[0]["network_interface"]
    # First, before any that a cloud has left on a bridge of this name, whose network was removed by hand.
    for rule in redirect_rules(state, bridge):
        _run("iptables", "--wait", "-t", "nat", "-I", "PREROUTING", *rule)


def redirect_rules(state: CloudState, bridge: str) -> list[list[str]]:
    """Return what stands between machines and the servers on the gateway, as arguments of iptables.

    Machines ask well-known ports (metadata on 80, AWS over TLS on 443, names on 53); the servers listen on free ports, so
    that nothing that runs on the host is in the way.
    """
    redirects = [
        (METADATA_ADDRESS, "tcp", 80, state.metadata_port),
        (state.gateway, "tcp", 443, state.tls_port),
        (state.gateway, "udp", 53, state.names_port),
        (state.gateway, "tcp", 53, state.names_port),
    ]
    return [
        ["-i", bridge, "-d", address, "-p", protocol, "--dport", str(port), "-m", "comment", "--comment",
         state.network_name, "-j", "DNAT", "--to-destination", f"{state.gateway}:{target}"]
        for address, protocol, port, target in redirects
    ]  # fmt: skip


def labelled_networks(label: str) -> dict[str, str]:
    """Return (cloud id -> range) of the clouds whose network carries a label."""
    names = Podman().run("network", "ls", "--filter", f"label={label}", "--format", "{{.Name}}").split()
    found = Podman().json("network", "inspect", *names) if names else []
    return {network["labels"]["goldfleet.cloud"]: network["subnets"][0]["subnet"] for network in found}


def remove_network(cloud_id: str, cidr: str | None) -> list[str]:
    """Remove what `create_network` made and return what was removed; what is gone already is no error."""
    name, removed = f"goldfleet-{cloud_id}", []
    saved = _run("iptables-save", "-t", "nat").splitlines()
    rules = [line for line in saved if line.startswith("-A PREROUTING") and f"--comment {name} " in line]
    for rule in rules:
        _run("iptables", "--wait", "-t", "nat", "-D", *rule.split()[1:])
    if rules:
        removed.append(f"{len(rules)} redirect rules")
    if name in Podman().run("network", "ls", "--format", "{{.Name}}").split():
        Podman().run("network", "rm", "--force", name)
        removed.append(f"network {name}")
    if cidr and f"unreachable {cidr} " in _run("ip", "-4", "route", "show", "type", "unreachable") + " ":
        _run("ip", "route", "del", "unreachable", cidr, "metric", LOWEST_PRIORITY)
        removed.append(f"route {cidr}")
    return removed


def _route_network(destination: str) -> ipaddress.IPv4Network:
    return ipaddress.IPv4Network("0.0.0.0/0" if destination == "default" else destination)


def _run(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise RefusedError(
            f"The local cloud needs `{command[0]}`, which is not on PATH.", "Run `make setup`."
        ) from error
    if done.returncode != 0:
        raise AwsError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
    return done.stdout
