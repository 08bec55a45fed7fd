"""Ansible's podman connection with pipelining: one `podman exec` a task instead of four. For molecule only.

The collection's plugin leaves standard input closed and therefore turns pipelining off; with --interactive it works.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.containers.podman.plugins.connection import podman

DOCUMENTATION = podman.DOCUMENTATION.replace("name: podman", "name: pipelined_podman", 1)


class Connection(podman.Connection):
    """The podman connection, with modules sent through standard input."""

    transport = "pipelined_podman"
    has_pipelining = True

    def _podman(
        self, cmd: Any, cmd_args: Any = None, in_data: bytes | None = None, use_container_id: bool = True
    ) -> Any:
        """Run podman; a command that is sent data gets a standard input to read it from."""
        command = [cmd] if isinstance(cmd, str) else list(cmd)
        if command[0] == "exec" and in_data is not None:
            command.insert(1, "--interactive")
        return super()._podman(command, cmd_args, in_data, use_container_id)
