"""Runs the testinfra specs against one host, in a pytest of their own, over an SSH configuration of our own.

Told apart: a check that failed, a host that could not be reached, and specs that could not be run at all. That no check
ran is never a success.
"""

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from goldfleet.errors import StoppedError, VerificationError
from goldfleet.process import Command, Ended, run_streaming
from goldfleet.stop import StopFlag
from goldfleet.verify.junit import parse_junit
from goldfleet.verify.model import HostResult

STOP_GRACE_SECONDS = 10
_RAN_TO_THE_END = (0, 1)
"""pytest's exit codes when every test was run. Source: pytest documentation, "Exit codes"."""
_NO_TEST = 5
LAST_LINES = 15


@dataclass(frozen=True)
class SpecRun:
    """One run of specs on one host. `marker` and `keyword` are pytest's -m and -k expressions, "" for all."""

    specs: Path
    root: Path
    host: str
    user: str
    ssh_config: Path
    variables: Path
    junit: Path
    marker: str = ""
    timeout_seconds: int = 1200
    keyword: str = ""


class SpecRunner:
    """Runs specs. `probe` tells whether the host answers: "" for yes, else why not."""

    def __init__(self, environment: Mapping[str, str], stop: StopFlag) -> None:
        self._environment = environment
        self._stop = stop

    def run(self, run: SpecRun, probe: Callable[[], str], on_line: Callable[[str], None]) -> HostResult:
        """Run the specs and return what they said.

        Raises VerificationError when the specs themselves could not be run or none was, StoppedError on a stop.
        """
        if unreachable := probe():
            return HostResult(run.host, unreachable=unreachable)
        lines: list[str] = []

        def keep(line: str) -> None:
            lines.append(line)
            on_line(line)

        ended = run_streaming(self._command(run), keep, self._stop)
        return self._judge(run, ended, lines, probe)

    def _judge(self, run: SpecRun, ended: Ended, lines: list[str], probe: Callable[[], str]) -> HostResult:
        if ended.was_stopped:
            raise StoppedError(f"Stopped by {self._stop.signal_name} during the checks.")
        if ended.code == _NO_TEST:
            raise VerificationError(f"No check was run: {run.specs} holds none that {_choice(run) or 'applies'}.")
        if ended.code not in _RAN_TO_THE_END or not run.junit.exists():
            last = "\n".join(f"  {line}" for line in lines[-LAST_LINES:])
            raise VerificationError(f"The specs in {run.specs} could not be run ({_how(ended, run)}):\n{last}")
        result = HostResult(run.host, parse_junit(run.junit.read_text(encoding="utf-8"), run.host))
        if result.bad and (unreachable := probe()):
            return HostResult(run.host, unreachable=f"lost during the checks: {unreachable}")
        return result

    def _command(self, run: SpecRun) -> Command:
        chosen = [*(["-m", run.marker] if run.marker else []), *(["-k", run.keyword] if run.keyword else [])]
        words = [
            *("timeout", "--signal=INT", "--kill-after=10", str(run.timeout_seconds)),
            *(sys.executable, "-m", "pytest", str(run.specs)),
            # Settings of the project around must not change what a check means.
            *("-c", "/dev/null", f"--rootdir={run.root}", "-p", "no:cacheprovider", "-q", "--tb=short"),
            *(f"--hosts=ssh://{run.user}@{run.host}", f"--ssh-config={run.ssh_config}", "--sudo"),
            f"--junitxml={run.junit}",
            *chosen,
        ]
        ignored = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS")
        inherited = {name: value for name, value in self._environment.items() if name not in ignored}
        own = {"GOLDFLEET_VARIABLES_FILE": str(run.variables), "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"}
        return Command(words, {**inherited, **own}, run.root, STOP_GRACE_SECONDS)


def _choice(run: SpecRun) -> str:
    return " and ".join(expression for expression in (run.marker, run.keyword) if expression)


def _how(ended: Ended, run: SpecRun) -> str:
    if ended.code in (124, 137):  # what `timeout` answers when the time was over
        return f"not done within {run.timeout_seconds} s"
    return f"killed by {ended.killed_by}" if ended.killed_by else f"pytest's exit code {ended.code}"


def safe_name(host: str) -> str:
    """Return a host's name as part of a file name."""
    return re.sub(r"[^A-Za-z0-9.-]", "_", host)
