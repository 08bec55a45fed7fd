"""What ssh's words about a login that failed mean, in an operator's words, with the remedy. Pure."""

import re

HOST_KEY_MISMATCH = "host key does not match the console's"
"""Said of a machine whose key is not among those that are pinned."""

_MEANINGS = (
    (
        r"Host key verification failed",
        f"{HOST_KEY_MISMATCH}: another machine answers at this address, or its host keys were made anew after the "
        "launch; do not trust it before you know which",
    ),
    (
        r"port [0-9]+: Connection timed out$",
        "SSH is closed: port 22 did not answer; the instance's security groups (and network ACLs) must allow port 22 "
        "from this machine",
    ),
    (r"Connection refused", "connection refused: no sshd listens on port 22"),
    (
        r"Permission denied",
        "login denied to user {user}: check ssh_username of the image and ssh_private_key of the group in "
        "goldfleet.toml against the key pair of the launch",
    ),
    (
        r"No route to host|Network is unreachable",
        "no way to this address: the instance is gone, or this machine is not in its network",
    ),
    (r"no answer within|timed out", "port 22 is open, but sshd does not answer"),
)
"""ssh's last line, and what it means; the first that matches counts. Source: OpenSSH, sshconnect.c and strerror."""

_FINAL = (HOST_KEY_MISMATCH,)


def explain_login_error(error: str, user: str) -> str:
    """Return what ssh's last line means, followed by the line itself; "" stays ""."""
    for pattern, meaning in _MEANINGS:
        if re.search(pattern, error):
            return f"{meaning.format(user=user)} (ssh: {error.removeprefix('ssh: ')})"
    return error


def is_final(explained: str) -> bool:
    """Tell whether waiting cannot mend it: a wrong host key stays wrong."""
    return explained.startswith(_FINAL)
