"""What one pytest is to find out about many servers, and what it found, as text that passes between two processes. Pure.

A job is one JSON document; its results are lines of JSON, written as they come, so that those of a run that was ended early
count. A check that came to the same on many servers is written once, and servers name it by its number.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from goldfleet.transport.model import Cost, Host, Limits, LocalHost, SshHost, SsmHost
from goldfleet.verify.model import CheckOutcome, CheckResult


@dataclass(frozen=True)
class Job:
    """The servers, by name, and how they are asked.

    `results` is the file for the results, `plan` the one that keeps what the specs ask, "" for none. `first` is asked of each
    server before anything else, whatever it answers. With `is_shared`, a test is run once for each distinct set of answers
    that it looks at; with `is_proven`, each test is run for each server afterwards and must come to the same. With
    `fails_fast`, the job ends with the first server that is not good.
    """

    servers: Mapping[str, Host] = field(default_factory=dict)
    results: str = ""
    limits: Limits = field(default_factory=Limits)
    first: tuple[str, ...] = ()
    is_shared: bool = True
    is_proven: bool = False
    fails_fast: bool = False
    plan: str = ""


@dataclass(frozen=True)
class ServerChecks:
    """What one server's checks came to.

    `trouble` says why the server did not answer, `not_run` why its checks were not run, or not to their end; "" otherwise.
    """

    checks: tuple[CheckResult, ...] = ()
    trouble: str = ""
    not_run: str = ""


@dataclass(frozen=True)
class Spent:
    """What a job took: `commands` counts distinct ones, `rounds` how often all were asked, `evaluated` runs of tests."""

    cost: Cost = field(default_factory=Cost)
    commands: int = 0
    rounds: int = 0
    evaluated: int = 0
    connected_seconds: float = 0.0
    asked_seconds: float = 0.0
    judged_seconds: float = 0.0


@dataclass(frozen=True)
class JobResults:
    """What was found, by server; what that took, None when the job did not come to its end; what people should know.

    `differing` are checks whose shared verdict was not what a run of their own came to, each with its server. `failure`
    says why the job did not come to its end, "" when it did or somebody stopped it.
    """

    servers: Mapping[str, ServerChecks]
    spent: Spent | None = None
    remarks: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()
    failure: str = ""


UNPROVEN = "the run was stopped before all verdicts were proven (--prove)"
ENDED_FAST = "the run ended with the first server that is not good (--fail-fast)"


def checks_of(found: JobResults, names: Iterable[str], *, is_proven: bool) -> dict[str, ServerChecks]:
    """Return what is known of a job's servers; one of which nothing is, since the job was stopped before, is left out."""
    why = found.failure or (ENDED_FAST if found.spent is not None else "")
    servers = {one: ServerChecks(not_run=why) for one in names if why} | dict(found.servers)
    if is_proven and found.spent is None:  # what is not proven to its end is not proven
        servers = {one: replace(checks, not_run=found.failure or UNPROVEN) for one, checks in servers.items()}
    return servers


def encode_job(job: Job) -> str:
    """Return a job as text."""
    document = asdict(job)
    for name, host in job.servers.items():
        document["servers"][name]["way"] = _WAYS[type(host)]
    return json.dumps(document)


def decode_job(text: str) -> Job:
    """Return the job in a text that encode_job made."""
    document = json.loads(text)
    servers = {name: _host(host) for name, host in document["servers"].items()}
    return Job(
        **{**document, "servers": servers, "limits": Limits(**document["limits"]), "first": tuple(document["first"])}
    )


def check_line(check: CheckResult) -> str:
    """Return the line of a check; the first is number 0."""
    return _line(check=[check.name, check.outcome.value, round(check.seconds, 6), check.message, check.detail])


def server_line(name: str, checks: Iterable[int] = (), trouble: str = "") -> str:
    """Return the line of a server, after those of its checks."""
    return _line(server=name, checks=list(checks), trouble=trouble)


def end_line(spent: Spent, remarks: Iterable[str], differing: Iterable[str]) -> str:
    """Return the last line."""
    return _line(spent=asdict(spent), remarks=list(remarks), differing=list(differing))


def read_results(text: str) -> JobResults:
    """Return what the lines of a job say; one that was cut off says nothing."""
    checks: list[CheckResult] = []
    rows: dict[tuple[int, ...], tuple[CheckResult, ...]] = {}  # servers that agree share one
    servers: dict[str, ServerChecks] = {}
    for line in text.splitlines(keepends=True):
        document = json.loads(line) if line.endswith("\n") else {}
        match document:
            case {"check": [name, outcome, seconds, message, detail]}:
                checks.append(CheckResult(name, CheckOutcome(outcome), seconds, message, detail))
            case {"server": name, "checks": numbers, "trouble": trouble}:
                row = tuple(numbers)
                if row not in rows:
                    rows[row] = tuple(checks[number] for number in row)
                servers[name] = ServerChecks(rows[row], trouble)
            case {"spent": spent, "remarks": remarks, "differing": differing}:
                spent = Spent(**{**spent, "cost": Cost(**spent["cost"])})
                return JobResults(servers, spent, tuple(remarks), tuple(differing))
    return JobResults(servers)


_WAYS: Mapping[type[Host], str] = {SshHost: "ssh", SsmHost: "ssm", LocalHost: "local"}


def _host(document: dict[str, Any]) -> Host:
    kind: Any = next(kind for kind, way in _WAYS.items() if way == document["way"])
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in document.items()}
    del values["way"]
    host: Host = kind(**values)
    return host


def _line(**document: Any) -> str:
    return json.dumps(document, separators=(",", ":")) + "\n"
