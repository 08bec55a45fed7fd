"""Has a pytest of its own do a job: the specs, on some servers, with one set of variables.

Told apart: a check that failed, a server that could not be reached, and specs that could not be run at all. That no check
ran is never a success.
"""

import json
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import JsonValue

from goldfleet.process import Command, Ended, run_streaming
from goldfleet.stop import StopFlag
from goldfleet.verify.job import Job, JobResults, encode_job, read_results
from goldfleet.verify.specs.plans import plan_file

STOP_GRACE_SECONDS = 10
PLANS = ".goldfleet/cache/plans"
_NO_TEST = 5
_OF_NO_JOB = re.compile(r"(no tests ran|\d+ deselected) in |$")
"""What pytest says at its end, which knows nothing of a job's results."""

LAST_LINES = 15


@dataclass(frozen=True)
class Specs:
    """Which specs are run, and what they are to find. `marker` and `keyword` are pytest's -m and -k, "" for all.

    With an `image_id`, that of the servers, what the specs ask is kept for the next job of the same specs.
    """

    path: Path
    root: Path
    variables: Mapping[str, JsonValue] = field(default_factory=dict)
    marker: str = ""
    keyword: str = ""
    timeout_seconds: int = 1200
    image_id: str = ""


class JobProcess:
    """Does jobs; each is a process of its own, so several may be done at once."""

    def __init__(self, environment: Mapping[str, str], stop: StopFlag) -> None:
        self._environment = environment
        self._stop = stop

    def run(self, job: Job, specs: Specs, on_line: Callable[[str], None]) -> JobResults:
        """Do a job, whose `results` are kept in a private folder until they are read, and return what was found.

        On a stop, and when the time was over, that is what had been found until then. That the specs could not be run, or
        none was, is told as the results' failure.
        """
        with TemporaryDirectory(prefix="goldfleet-verify-") as name:
            folder = Path(name)
            job = replace(job, results=str(folder / "results"), plan=_plan(specs))
            (folder / "job.json").write_text(encode_job(job), encoding="utf-8")
            (folder / "variables.json").write_text(json.dumps(dict(specs.variables)), encoding="utf-8")
            lines: list[str] = []

            def keep(line: str) -> None:
                lines.append(line)
                if not _OF_NO_JOB.match(line):
                    on_line(line)

            ended = run_streaming(self._command(specs, folder), keep, self._stop)
            found = JobResults({})
            with suppress(FileNotFoundError):
                found = read_results(Path(job.results).read_text(encoding="utf-8"))
        is_over = found.spent is not None or ended.was_stopped
        return found if is_over else replace(found, failure=_why(specs, ended, lines))

    def _command(self, specs: Specs, folder: Path) -> Command:
        chosen = [*(["-m", specs.marker] if specs.marker else []), *(["-k", specs.keyword] if specs.keyword else [])]
        words = [
            *("timeout", "--signal=INT", "--kill-after=10", str(specs.timeout_seconds)),
            *(sys.executable, "-m", "pytest", str(specs.path)),
            # Settings of the project around must not change what a check means.
            *(
                "-c",
                "/dev/null",
                f"--rootdir={specs.root}",
                "-p",
                "no:cacheprovider",
                "-q",
                "--tb=short",
                "--capture=sys",
            ),
            *("-p", "no:hypothesispytest"),  # where it is installed, its summary alone takes half a second
            *("--hosts=goldfleet://fleet", f"--goldfleet-job={folder / 'job.json'}"),
            *chosen,
        ]
        ignored = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTHONDONTWRITEBYTECODE")
        inherited = {name: value for name, value in self._environment.items() if name not in ignored}
        # pytest rewrites testinfra and goldfleet at each start, half a second, unless it may keep what came of it; not beside
        # the specs, since they are fingerprinted.
        kept = str(specs.root / ".goldfleet" / "pycache")
        own = {"GOLDFLEET_VARIABLES_FILE": str(folder / "variables.json"), "PYTHONPYCACHEPREFIX": kept, "NO_COLOR": "1"}
        return Command(words, {**inherited, **own}, specs.root, STOP_GRACE_SECONDS)


def _plan(specs: Specs) -> str:
    if not specs.image_id:
        return ""
    choice = f"{specs.marker}\n{specs.keyword}"
    return str(plan_file(specs.root / PLANS, specs.path, specs.image_id, specs.variables, choice))


def _why(specs: Specs, ended: Ended, lines: list[str]) -> str:
    if ended.code == _NO_TEST:
        return f"No check was run: {specs.path} holds none that {_choice(specs) or 'applies'}."
    last = "\n".join(f"  {line}" for line in lines[-LAST_LINES:])
    return f"The specs in {specs.path} could not be run ({_how(ended, specs)}):\n{last}"


def _choice(specs: Specs) -> str:
    return " and ".join(expression for expression in (specs.marker, specs.keyword) if expression)


def _how(ended: Ended, specs: Specs) -> str:
    if ended.code in (124, 137):  # what `timeout` answers when the time was over
        return f"not done within {specs.timeout_seconds} s"
    return f"killed by {ended.killed_by}" if ended.killed_by else f"pytest's exit code {ended.code}"
