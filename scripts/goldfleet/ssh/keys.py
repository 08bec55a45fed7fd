"""Makes a key pair with ssh-keygen. The private key never leaves this machine."""

import subprocess
from pathlib import Path

from goldfleet.errors import UsageError


def make_key_pair(private_key: Path, comment: str) -> str:
    """Write a new ed25519 private key, readable for its owner only, and return the public key's line.

    Raises UsageError when there is no ssh-keygen or it cannot write there.
    """
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(private_key)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return Path(f"{private_key}.pub").read_text(encoding="utf-8").strip()
    except FileNotFoundError as error:
        raise UsageError("There is no `ssh-keygen` on PATH.", "Install OpenSSH's client.") from error
    except subprocess.CalledProcessError as error:
        raise UsageError(f"ssh-keygen could not write {private_key}: {error.stderr.strip()}.") from error
