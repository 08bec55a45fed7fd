"""The text of an SSH configuration that trusts pinned host keys, and no others. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """One machine to log in to. `control_path` is where connections to it are shared; it must be short.

    With no private key, "", ssh uses its own: the agent's and those of the user's home.
    """

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
        *_identity(target.private_key),
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


def _identity(private_key: str) -> tuple[str, ...]:
    if not private_key:
        return ()
    return (f'  IdentityFile "{_quoted(private_key)}"', "  IdentitiesOnly yes", "  IdentityAgent none")


def _quoted(path: str) -> str:
    """Return a path as it stands between quotes: ssh reads % as the start of a token."""
    return path.replace("%", "%%")
