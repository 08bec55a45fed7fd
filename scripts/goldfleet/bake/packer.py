"""Runs Packer through packer-py, with what packer-py leaves out: streamed output, environment, folder and signals."""

import collections
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from packerpy import PackerExecutable

from goldfleet.bake.packer_output import explain_failure, parse_manifest, parse_version
from goldfleet.bake.run_folder import FIRST_MODERN_PACKER, RunFolder
from goldfleet.errors import AwsError, StoppedError, UsageError
from goldfleet.process import Command, Ended, run_streaming
from goldfleet.stop import StopFlag

LINES_KEPT = 2000
"""How many of the last lines of output are looked through for the reason of a failure; the log has them all."""


_HARMLESS = (
    "ANSIBLE_FORKS",
    "ANSIBLE_LOCAL_TEMP",
    "ANSIBLE_TIMEOUT",
    "ANSIBLE_VAULT_IDENTITY_LIST",
    "ANSIBLE_VAULT_PASSWORD_FILE",
    "PKR_VAR_aws_endpoint_url",
    "PKR_VAR_skip_credential_validation",
    "PKR_VAR_skip_metadata_api_check",
    "PKR_VAR_skip_region_validation",
)
_COULD_CHANGE_THE_IMAGE = ("ANSIBLE_", "PKR_VAR_")
"""Variables that begin so may name other roles, plugins or inputs than were fingerprinted; only _HARMLESS ones pass."""


class PackerCommand(PackerExecutable):  # type: ignore[misc]  # packer-py has no types
    """packer-py's executable, which streams each line, runs in a process group of its own and can be stopped.

    `ended` says how the last command ended.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        folder: Path,
        on_line: Callable[[str], None],
        stop: StopFlag,
        grace_seconds: float,
    ) -> None:
        super().__init__(executable_path=find_packer(environment), machine_readable=False)
        self._environment = environment
        self._folder = folder
        self._on_line = on_line
        self._stop = stop
        self._grace_seconds = grace_seconds
        self.ended = Ended(0, was_stopped=False)

    def execute_cmd(self, packer_cmd: str, template: str | None = None, **kwargs: object) -> tuple[int, bytes, bytes]:
        """Run a command of Packer's; packer-py's own methods (`build`, `version`, …) end here.

        Returns packer-py's triple: the exit code, and no output, which went to `on_line`.
        """
        options = self._explode_args(**kwargs)
        words = [self.configuration[PackerExecutable.PATH], packer_cmd, *options, *([template] if template else [])]
        command = Command(words, self._environment, self._folder, self._grace_seconds)
        self.ended = run_streaming(command, self._on_line, self._stop)
        return self.ended.code, b"", b""


def find_packer(environment: Mapping[str, str]) -> str:
    """Return Packer's path.

    Raises UsageError when it is not on PATH.
    """
    path = shutil.which("packer", path=environment.get("PATH", ""))
    if path is None:
        raise UsageError("There is no `packer` on PATH.", "Install it: `make setup` does, on Debian and Ubuntu.")
    return path


def packer_environment(
    environment: Mapping[str, str], region: str, profile: str | None, collections_path: Sequence[Path]
) -> dict[str, str]:
    """Return the environment for Packer: this process's, the region and profile that goldfleet uses, and on PATH first
    the programs of this virtual environment, where ansible-playbook is.

    Variables by which Ansible or Packer would bake something else than was fingerprinted are left out, and collections
    are found where their versions were read.
    """
    inherited = {
        name: value
        for name, value in environment.items()
        if name in _HARMLESS or not name.startswith(_COULD_CHANGE_THE_IMAGE)
    }
    programs = str(Path(sys.executable).parent)
    added = {
        "PATH": os.pathsep.join([programs, environment.get("PATH", os.defpath)]),
        "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join(map(str, collections_path)),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "CHECKPOINT_DISABLE": "1",
        "PACKER_NO_COLOR": "1",
    }
    if profile:
        added["AWS_PROFILE"] = profile
    return {**inherited, **added}


class Packer:
    """Builds an image from a run folder."""

    def __init__(self, environment: Mapping[str, str], region: str, stop: StopFlag, grace_seconds: float) -> None:
        self._environment = environment
        self._region = region
        self._stop = stop
        self._grace_seconds = grace_seconds

    def version(self, folder: Path) -> tuple[int, ...]:
        """Return Packer's version.

        Raises UsageError when there is no Packer.
        """
        lines: list[str] = []
        self._command(folder, lines.append).version()
        return parse_version(lines)

    def build(self, run: RunFolder, version: tuple[int, ...], on_line: Callable[[str], None]) -> str:
        """Build the image and return its AMI's id, read from Packer's manifest.

        Raises AwsError with the failing task's lines when the build fails or Packer is killed, StoppedError when it
        was stopped, OSError when the log cannot be written.
        """
        last: collections.deque[str] = collections.deque(maxlen=LINES_KEPT)
        with run.log.open("w", encoding="utf-8", buffering=1) as log:

            def keep(line: str) -> None:
                last.append(line)
                log.write(line + "\n")
                on_line(line)

            command = self._command(run.path, keep)
            if version >= FIRST_MODERN_PACKER:
                command.execute_cmd("init", str(run.packer))
                self._check(command.ended, "packer init", last, run)
            command.build(str(run.packer), color="false", var_file=str(run.packer_variables))
            self._check(command.ended, "packer build", last, run)
        manifest = run.manifest.read_text(encoding="utf-8") if run.manifest.exists() else ""
        return parse_manifest(manifest, self._region)

    def _command(self, folder: Path, on_line: Callable[[str], None]) -> PackerCommand:
        return PackerCommand(self._environment, folder, on_line, self._stop, self._grace_seconds)

    def _check(self, ended: Ended, what: str, last: "collections.deque[str]", run: RunFolder) -> None:
        if ended.was_stopped:
            raise StoppedError(f"Stopped by {self._stop.signal_name} during {what}.")
        if ended.killed_by:
            raise AwsError(f"{what} was killed by {ended.killed_by}.", f"Its output is in {run.log}.")
        if ended.code != 0:
            why = "\n".join(f"  {line}" for line in explain_failure(list(last)))
            raise AwsError(f"{what} failed with exit code {ended.code}:\n{why}", f"All of its output is in {run.log}.")
