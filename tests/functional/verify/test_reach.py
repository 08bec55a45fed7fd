"""How instances are reached, with consoles in memory and a real file of keys pinned earlier."""

from pathlib import Path

from goldfleet.aws.errors import ThingIsGoneError
from goldfleet.aws.model import Instance
from goldfleet.transport.model import SshHost, SsmHost
from goldfleet.verify.reach import HOST_KEY_SECONDS, Login, SshReach, SsmReach, Unreachable
from goldfleet.verify.tunnels import Tunnels
from tests.doubles.clock import VirtualClock
from tests.doubles.machines import RunningMachines, machines_of


def reach(folder: Path, machines: RunningMachines, clock: VirtualClock | None = None) -> SshReach:
    """Return the way to these machines."""
    return SshReach(Login("admin", "/key", folder / "known_hosts"), machines, clock or VirtualClock())


def known(machines: RunningMachines) -> Instance:
    """Return the first of the instances."""
    return machines.known["i-1"]


def test_only_the_consoles_keys_are_trusted(tmp_path: Path) -> None:
    machines = machines_of("i-1")
    found = reach(tmp_path, machines).look(known(machines))
    assert isinstance(found, SshHost)
    assert (found.address, found.user, found.private_key, found.become) == (
        "10.0.0.1",
        "admin",
        "/key",
        ("sudo", "-n", "--"),
    )
    assert found.known_hosts.startswith("10.0.0.1 ssh-ed25519 AAAA")
    assert found.known_hosts.count("\n") == 1


def test_keys_pinned_earlier_are_used_when_the_console_shows_none_any_more(tmp_path: Path) -> None:
    machines = machines_of("i-1")
    machines.silent = ("i-1",)
    (tmp_path / "known_hosts").write_text("10.0.0.1,i-1 ssh-ed25519 EARLIER\n10.0.0.1,i-0 ssh-ed25519 ANOTHER\n")
    found = reach(tmp_path, machines).look(known(machines))
    assert isinstance(found, SshHost)
    assert found.known_hosts == "10.0.0.1 ssh-ed25519 EARLIER\n"


def test_console_without_keys_is_unreachable_after_the_stated_wait(tmp_path: Path) -> None:
    machines, clock = machines_of("i-1"), VirtualClock()
    machines.silent = ("i-1",)
    assert reach(tmp_path, machines, clock).look(known(machines)) is None
    found = reach(tmp_path, machines, clock).wait(known(machines))
    assert isinstance(found, Unreachable)
    assert found.why.startswith("no SSH host keys on its console within 120 s, and none pinned earlier")
    assert clock.seconds == HOST_KEY_SECONDS


def test_instance_that_does_not_run_is_unreachable(tmp_path: Path) -> None:
    machines = machines_of("i-1", state="stopped")
    assert reach(tmp_path, machines).look(known(machines)) == Unreachable("the instance is stopped")


def test_instance_that_aws_does_not_know_is_unreachable(tmp_path: Path) -> None:
    gone = Instance("i-9", state="")
    assert reach(tmp_path, machines_of()).look(gone) == Unreachable("the instance is not known to AWS")


def test_instance_that_ends_meanwhile_is_unreachable(tmp_path: Path) -> None:
    machines = machines_of("i-1")
    machines.faults = {"i-1": ThingIsGoneError("gone", code="InvalidInstanceID.NotFound")}
    assert reach(tmp_path, machines).wait(known(machines)) == Unreachable("the instance does not exist any more")


def test_tunnel_leads_to_the_instance_and_the_key_is_still_the_consoles(tmp_path: Path) -> None:
    machines = machines_of("i-1")
    tunnels = Tunnels("/usr/local/bin/aws", profile="work", region="eu-west-1")
    found = SshReach(Login("admin", "", tmp_path), machines, VirtualClock(), tunnels).look(known(machines))
    assert isinstance(found, SshHost)
    assert found.proxy_command == (
        *("/usr/local/bin/aws", "ec2-instance-connect", "open-tunnel", "--instance-id", "i-1"),
        *("--profile", "work", "--region", "eu-west-1"),
    )
    assert found.known_hosts.startswith("10.0.0.1 ssh-ed25519 AAAA")


def test_managed_node_needs_no_host_key() -> None:
    machines = machines_of("i-1")
    machines.silent = ("i-1",)
    reach = SsmReach(lambda instance: SsmHost(instance.instance_id, instance.address, "web"))
    assert reach.look(known(machines)) == reach.wait(known(machines)) == SsmHost("i-1", "10.0.0.1", "web")
    assert reach.look(known(machines_of("i-1", state="stopped"))) == Unreachable("the instance is stopped")
