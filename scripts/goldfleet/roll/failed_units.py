"""What systemd says of an instance's units, over SSH with host keys pinned from its console: evidence, if it can be had."""

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from goldfleet.aws.ec2 import Ec2
from goldfleet.errors import VerificationError
from goldfleet.process import Command, run_streaming
from goldfleet.ssh.config import Target, build_ssh_config
from goldfleet.ssh.known_hosts import parse_host_keys, pin
from goldfleet.ssh.sockets import control_folder
from goldfleet.stop import StopFlag

LONGEST_SECONDS = 30
QUESTION = "systemctl --failed --no-pager --full; sudo -n journalctl --no-pager --boot --priority=err --lines=100"


@dataclass(frozen=True)
class FailedUnits:
    """Asks instances of one fleet; with no private key, "", ssh uses its own keys and agent."""

    machines: Ec2
    user: str
    private_key: str

    def read(self, instance_id: str) -> str:
        """Return the failed units and the errors of this boot.

        Raises VerificationError when no login works.
        """
        instance = self.machines.instance(instance_id)
        keys = parse_host_keys(self.machines.console_output(instance_id))
        if instance is None or instance.state != "running" or not keys:
            raise VerificationError(f"{instance_id} is not running, or its console shows no host keys.")
        with control_folder() as folder:
            known_hosts, config = folder / "known_hosts", folder / "ssh_config"
            known_hosts.write_text(pin("", [instance.address], keys), encoding="utf-8")
            target = Target(instance.address, self.user, self.private_key, str(known_hosts), str(folder / "%C"))
            config.write_text(build_ssh_config(target), encoding="utf-8")
            return self._ask(["ssh", "-F", str(config), instance.address, QUESTION])

    def _ask(self, words: Sequence[str]) -> str:
        lines: list[str] = []
        command = Command(["timeout", str(LONGEST_SECONDS), *words], os.environ, Path("/"), grace_seconds=5)
        ended = run_streaming(command, lines.append, StopFlag())
        if not lines:
            raise VerificationError(f"{shlex.join(words[:2])} said nothing (exit code {ended.code}).")
        return "\n".join(lines) + "\n"
