"""EC2 Instance Connect Endpoint, by the AWS CLI: a way to port 22 of an instance that no port leads to.

Source: Amazon EC2 user guide, "Connect using EC2 Instance Connect Endpoint".
"""

import os
import shutil
import subprocess
from dataclasses import dataclass

from goldfleet.errors import UsageError

MOST_TUNNELS = 20
"""How many connections an endpoint takes at one time. Source: as above, "Limitations"."""

NEEDED = "aws-cli/2"
"""How a version begins that can open tunnels; version 1 cannot."""

VERSION_SECONDS = 30


@dataclass(frozen=True)
class Tunnels:
    """Tunnels that a program opens."""

    program: str
    profile: str = ""
    region: str = ""

    def command(self, instance_id: str) -> tuple[str, ...]:
        """Return the program whose two ends lead to an instance's sshd."""
        named = {"--profile": self.profile, "--region": self.region}
        chosen = [word for option, value in named.items() if value for word in (option, value)]
        return (self.program, "ec2-instance-connect", "open-tunnel", "--instance-id", instance_id, *chosen)


def find_program(path: str) -> str:
    """Return the first AWS CLI of version 2 in the folders of a PATH: an environment of Python's may have version 1 before it.

    Raises UsageError where there is none.
    """
    seen = []
    for folder in path.split(os.pathsep):
        if program := shutil.which("aws", path=folder) if folder else None:
            version = _version(program)
            if version.startswith(NEEDED):
                return program
            seen.append(f"{program} is {version or 'none that says its version'}")
    found = "; ".join(seen) or "no aws is on PATH"
    raise UsageError(
        f"The transport eice needs version 2 of the AWS CLI: {found}.",
        "Install it and put it on PATH, or reach the servers by ssh or ssm.",
    )


def _version(program: str) -> str:
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, check=False, timeout=VERSION_SECONDS,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.partition(" ")[0].strip()
