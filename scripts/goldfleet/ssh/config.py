"""The text of an SSH configuration that trusts pinned host keys and one identity, and nothing else. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """One machine to log in to. `control_path` is where connections to it are shared; it must be short."""

    address: str
    user: str
    private_key: str
    known_hosts: str
    control_path: str


def build_ssh_config(target: Target) -> str:
    """Return the configuration for one machine; connections share one handshake."""
    lines = (
        f"Host {target.address}",
        f"  User {target.user}",
        f'  IdentityFile "{_quoted(target.private_key)}"',
        "  IdentitiesOnly yes",
        "  IdentityAgent none",
        "  StrictHostKeyChecking yes",
        f'  UserKnownHostsFile "{_quoted(target.known_hosts)}"',
        "  GlobalKnownHostsFile none",
        "  UpdateHostKeys no",
        "  BatchMode yes",
        "  ConnectTimeout 10",
        "  ServerAliveInterval 15",
        "  ServerAliveCountMax 4",
        "  ControlMaster auto",
        "  ControlPersist 60",
        f'  ControlPath "{_quoted(target.control_path)}"',
    )
    return "\n".join(lines) + "\n"


def _quoted(path: str) -> str:
    """Return a path as it stands between quotes: ssh reads % as the start of a token."""
    return path.replace("%", "%%")
