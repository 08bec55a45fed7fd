"""The Agent port: amazon-ssm-agent's aws:runShellScript, played by `podman exec`.

As the agent does it: the commands become a file `_script.sh` in the orchestration folder, which `sh -c` runs as root, so that a
first line `#!/bin/bash` counts; the working folder is the agent's own, /usr/bin, unless another is asked for; there is no HOME;
the time-out kills the script's whole process group. That file stays. Source: amazon-ssm-agent, plugins/runscript, executers,
packaging/linux/amazon-ssm-agent.service.
"""

import os
import select
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from typing import IO

from goldfleet.errors import GoldfleetError
from goldfleet.localcloud.machines import Machines
from goldfleet.localcloud.ssm.model import Result
from goldfleet.localcloud.ssm.output import STDERR_LIMIT, STDOUT_LIMIT, stderr_content, stdout_content
from goldfleet.localcloud.ssm.ports import Ran, Script
from goldfleet.localcloud.state import REGION

ORCHESTRATION = (
    "/var/lib/amazon/ssm/{instance_id}/document/orchestration/{command_id}/awsrunShellScript/0.awsrunShellScript"
)
WORKING_DIRECTORY = "/usr/bin"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SIGNALLED = 128  # and above: what a shell says of a script that a signal ended
KILLED = 137  # 128 + SIGKILL; what the agent reports of a script that it stopped
LATE_SECONDS = 30.0  # how long podman may take beyond the script's own time-out
LOOK_SECONDS = 0.2
SHUTDOWN_SECONDS = 2.0  # from a shutdown's killing of processes to the end of the machine's first one, at most

# $1 folder, $2 working folder, $3 seconds, $4 where the process id goes; the script comes on standard input. The agent is a
# service, so the message bus is there when it starts. `timeout` leads a process group of its own, the one of $$, and kills
# it; so does `kill` below.
RUN = """
tries=0; while [ ! -S /run/dbus/system_bus_socket ] && [ $tries -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
umask 077; mkdir -p "$1" && cat > "$1/_script.sh" && chmod 700 "$1/_script.sh" || exit 1
umask 022
cd "$2" || exit 1
echo $$ > "$4"
exec timeout --signal=KILL "$3" sh -c "$1/_script.sh" < /dev/null
"""
KILL = 'kill -s KILL -- "-$(cat "$1")"'


@dataclass(frozen=True)
class PodmanAgent:
    """Runs scripts in machines."""

    machines: Machines

    def run(self, instance_id: str, script: Script, *, keep_output: bool) -> Ran | None:
        """Run a script to its end; None when the machine ended meanwhile or runs anew, so that nobody can tell."""
        machine = self._open_machine(instance_id)
        if machine is None:
            return None
        folder = ORCHESTRATION.format(instance_id=instance_id, command_id=script.command_id)
        began = time.monotonic()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error, os.fdopen(machine, "rb") as process:
            code = self._execute(instance_id, script, folder, out, error)
            cancelled = code == KILLED and script.cancelled.is_set()
            timed_out = code == KILLED and time.monotonic() - began >= script.timeout_seconds
            is_unexplained = code >= SIGNALLED and not (cancelled or timed_out)
            if has_ended(process.fileno(), SHUTDOWN_SECONDS if is_unexplained else 0.0):
                return None
            result = Result(
                code=code,
                stdout=stdout_content(_read(out, STDOUT_LIMIT)),
                stderr=stderr_content(_read(error, STDERR_LIMIT), 0 if cancelled or timed_out else code),
                timed_out=timed_out,
                cancelled=cancelled,
            )
            output = {"stdout": _read(out), "stderr": _read(error)} if keep_output else {}
        return Ran(result, output)

    def _execute(
        self, instance_id: str, script: Script, folder: str, out: IO[bytes], error: IO[bytes]
    ) -> int:  # fmt: skip
        """Run the script and return its exit code, KILLED when its time was over or it was cancelled."""
        variables = {"PATH": PATH, "AWS_SSM_INSTANCE_ID": instance_id, "AWS_SSM_REGION_NAME": REGION}
        pid_file = f"/run/ssm-{script.command_id}.pid"  # memory: gone after a restart, and in no image
        arguments = [folder, script.working_directory or WORKING_DIRECTORY, str(script.timeout_seconds), pid_file]
        process = subprocess.Popen(
            [
                *self._podman("exec", "--interactive", self.machines.name(instance_id)),
                "env", "-i", *(f"{name}={value}" for name, value in variables.items()), "/bin/sh", "-c", RUN, "run", *arguments,
            ],
            stdin=subprocess.PIPE, stdout=out, stderr=error, start_new_session=True,
        )  # fmt: skip
        threading.Thread(target=_feed, args=(process, script.text.encode()), daemon=True).start()
        deadline = time.monotonic() + script.timeout_seconds + LATE_SECONDS
        while process.poll() is None:
            if script.cancelled.is_set():
                self._kill(instance_id, pid_file)
            if time.monotonic() > deadline:
                process.kill()
                process.wait()
                return KILLED
            try:
                process.wait(LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                continue
        return process.returncode

    def _kill(self, instance_id: str, pid_file: str) -> None:
        """Kill a script with all that it started; one that has just ended is no error."""
        arguments = self._podman("exec", self.machines.name(instance_id), "/bin/sh", "-c", KILL, "kill", pid_file)
        subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=LATE_SECONDS)

    def _podman(self, *arguments: str) -> list[str]:
        return ["podman", *self.machines.podman.settings.global_options(), *arguments]

    def _open_machine(self, instance_id: str) -> int | None:
        """Return a descriptor of this run of the machine (pidfd_open(2)), None when it does not run."""
        try:
            return os.pidfd_open(self.machines.pid(instance_id))
        except (GoldfleetError, OSError):
            return None


def has_ended(process: int, within_seconds: float) -> bool:
    """Say whether the process of a descriptor ends within some seconds, or has ended."""
    poll = select.poll()
    poll.register(process, select.POLLIN)
    return bool(poll.poll(within_seconds * 1000))


def _feed(process: subprocess.Popen[bytes], text: bytes) -> None:
    """Write a process's standard input; one that ends before it has read it is no error here."""
    try:
        if process.stdin is not None:
            with process.stdin as stream:
                stream.write(text)
    except BrokenPipeError:
        return


def _read(stream: IO[bytes], limit: int = -1) -> bytes:
    stream.seek(0)
    return stream.read(limit)
