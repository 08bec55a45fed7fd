"""Does a job within pytest: asks its servers, judges the collected tests for each of them, writes what was found.

The first server that answers is asked until its tests want to know no more, and whatever it is asked, all are asked: at
once, or at the end where asking all takes long. What that was is kept, so that the next job of the same specs, variables and
image asks all of it at the beginning. Then all are judged; what a server's tests want to know beyond that was not foreseen,
and is asked of that server.
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import monotonic
from typing import TextIO

import pytest

from goldfleet.verify.job import Job, Spent, check_line, decode_job, end_line, server_line
from goldfleet.verify.model import CheckOutcome, CheckResult
from goldfleet.verify.specs.asking import Asking, close_asking, open_asking
from goldfleet.verify.specs.backend import JobBackend
from goldfleet.verify.specs.changes import told_live
from goldfleet.verify.specs.collected import PRELUDE, Phase, ServerLostError
from goldfleet.verify.specs.judging import LIVE, WAITS, Judge
from goldfleet.verify.specs.learning import MOST_ROUNDS
from goldfleet.verify.specs.names import check_name
from goldfleet.verify.specs.plans import read_plan, write_plan

MOST_NAMED = 10
PROGRESS_LINES = 20


def open_job(file: str) -> "JobRun":
    """Read a job and begin to connect to its servers, while pytest collects the tests."""
    job = decode_job(Path(file).read_text(encoding="utf-8"))
    planned = read_plan(Path(job.plan)) if job.plan else ()
    return JobRun(job, open_asking(job.servers, job.limits, tuple(dict.fromkeys((*job.first, *PRELUDE, *planned)))))


class JobRun:
    """One job, once: a plugin that stands in the place of pytest's own loop over tests."""

    def __init__(self, job: Job, asking: Asking) -> None:
        self._job = job
        self._asking = asking
        self._collected = asking.collected
        self._rows: dict[str, list[int]] = {}
        self._rounds = 0
        self._unforeseen: dict[str, set[str]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Judge the session's tests for every server of the job, and write what was found."""
        if session.testsfailed:
            raise session.Interrupted(f"{session.testsfailed} errors during collection")
        self._run(session)
        return True

    def pytest_unconfigure(self) -> None:
        """End every connection."""
        close_asking(self._asking)

    def _run(self, session: pytest.Session) -> None:
        items = [item for item in session.items if isinstance(item, pytest.Function)]
        others = [check_name(item) for item in session.items if not isinstance(item, pytest.Function)]
        if not session.items:
            return
        hosts, job = self._job.servers, self._job
        judge = Judge(
            items, self._collected, lambda name: JobBackend(name, hosts[name].address), is_shared=job.is_shared
        )
        with Path(job.results).open("w", encoding="utf-8") as file:
            results = _Results(file, judge, len(hosts), others)
            self._asking.wait()
            asked = monotonic()
            self._learn(judge)
            judged = monotonic()
            self._judge(judge, results)
            differing = list(self._prove(judge)) if job.is_proven else []
            ended = monotonic()
            spent = Spent(
                self._collected.transport.cost, len(self._collected.table.questions) - 1, self._rounds, judge.evaluated,
                self._asking.connected_seconds, judged - asked, ended - judged,
            )  # fmt: skip
            file.write(end_line(spent, self._remarks(judge), differing))
        session.testscollected = len(session.items)
        session.testsfailed = results.failed + len(self._collected.trouble) + len(differing)

    def _reached(self) -> list[str]:
        return [name for name in self._job.servers if name not in self._collected.trouble]

    def _learn(self, judge: Judge) -> None:
        """Ask all servers what the first of them is asked."""
        collected = self._collected
        collected.phase = Phase.LEARNING
        while (reached := self._reached()) and self._rounds < MOST_ROUNDS:
            first = reached[0]
            self._rows[first] = judge.judge(first, self._rows.get(first, ()))
            if not (missed := collected.missed.pop(first, None)):
                break
            self._rounds += 1
            collected.ask_learning(first, (*self._asking.first, *missed))
            _say(f"asked {1 if collected.transport.asks_one_first else len(reached)} servers {len(missed)} commands")
        if reached := self._reached():
            self._keep_plan(collected.answered(reached[0]))
            collected.ask_others(reached[0])

    def _keep_plan(self, commands: Sequence[str]) -> None:
        if self._job.plan:
            write_plan(Path(self._job.plan), [one for one in commands if one not in (*self._job.first, *PRELUDE)])

    def _judge(self, judge: Judge, results: "_Results") -> None:
        """Judge every server, and write it down as soon as nothing about it is open."""
        collected = self._collected
        pending = self._reached()
        for _ in range(MOST_ROUNDS):
            for name in pending:
                if self._is_enough(results):
                    return
                self._rows[name] = judge.judge(name, self._rows.get(name, ()))
                if not {WAITS, LIVE} & set(self._rows[name]):
                    results.write(name, self._rows[name])
            missed = dict(collected.missed)
            collected.missed.clear()
            if not missed:
                break
            for name, commands in missed.items():
                self._unforeseen.setdefault(name, set()).update(commands)
            collected.ask(missed)
            pending = [name for name in missed if name not in collected.trouble]
        for name in self._reached():
            if not results.has(name) and not self._is_enough(results):
                self._judge_now(judge, name, results)
        self._is_enough(results)

    def _is_enough(self, results: "_Results") -> bool:
        """Write down the servers that do not answer, and tell whether the job ends since a server is not good."""
        for name, why in self._collected.trouble.items():
            results.write_trouble(name, why)
        return self._job.fails_fast and bool(results.not_good or self._collected.trouble)

    def _judge_now(self, judge: Judge, name: str, results: "_Results") -> None:
        """Judge what is still open of a server, asking it whatever comes."""
        collected = self._collected
        try:
            collected.phase = Phase.JUDGING
            row = judge.judge(name, self._rows[name])
            collected.phase = Phase.LIVE
            row = [judge.judge_alone(number, name) if one == LIVE else one for number, one in enumerate(row)]
        except ServerLostError as error:
            collected.trouble.setdefault(name, str(error))
        else:
            if name not in collected.trouble:
                results.write(name, row)

    def _prove(self, judge: Judge) -> Iterable[str]:
        """Run each test for each server, and yield those that come to something else than was shared."""
        self._collected.phase = Phase.JUDGING
        for name in self._reached():
            for number, shared in enumerate(self._rows.get(name, ())):
                if shared < 0:
                    continue
                try:
                    own = judge.checks[judge.judge_alone(number, name)]
                except ServerLostError as error:
                    yield f"{name}: nothing more could be proven: {error}"
                    break
                if own.outcome is not (check := judge.checks[shared]).outcome:
                    yield f"{name}: {check.name}: {check.outcome.value} was shared, by itself it is {own.outcome.value}"

    def _remarks(self, judge: Judge) -> Iterable[str]:
        for name, command in list(judge.changing.items())[:MOST_NAMED]:
            yield told_live(name, command)
        for name in judge.unstable[:MOST_NAMED]:
            yield f"not shared, since it asks something else each time: {name}"
        if self._unforeseen or self._collected.unforeseen:
            for name, command in self._collected.unforeseen:
                self._unforeseen.setdefault(name, set()).add(command)
            number = sum(map(len, self._unforeseen.values()))
            name, commands = next(iter(self._unforeseen.items()))
            yield f"{number} commands were not foreseen on {len(self._unforeseen)} servers, such as on {name}: {min(commands)}"


class _Results:
    """Writes lines as they come: what a server's checks came to, each check before the first server that it is of.

    Says every now and then how many of the servers are done.
    """

    def __init__(self, file: TextIO, judge: Judge, servers: int, not_run: Sequence[str]) -> None:
        self._not_run = [
            judge.add(CheckResult(name, CheckOutcome.ERROR, 0.0, "not run: it is no test function")) for name in not_run
        ]
        self._file = file
        self._judge = judge
        self._all = servers
        self._written = 0
        self._servers: set[str] = set()
        self.failed = 0
        self.not_good = 0

    def has(self, name: str) -> bool:
        return name in self._servers

    def write(self, name: str, row: list[int]) -> None:
        for check in self._judge.checks[self._written :]:
            self._file.write(check_line(check))
        self._written = len(self._judge.checks)
        bad = (CheckOutcome.FAILED, CheckOutcome.ERROR)
        outcomes = [self._judge.checks[number].outcome for number in (*row, *self._not_run)]
        self.failed += any(outcome in bad for outcome in outcomes)
        self.not_good += any(outcome in bad for outcome in outcomes) or CheckOutcome.PASSED not in outcomes
        self._put(name, server_line(name, (*row, *self._not_run)))

    def write_trouble(self, name: str, why: str) -> None:
        if not self.has(name):
            self._put(name, server_line(name, trouble=why))

    def _put(self, name: str, line: str) -> None:
        self._servers.add(name)
        self._file.write(line)
        self._file.flush()
        done = len(self._servers)
        if self._all > 1 and done % max(1, self._all // PROGRESS_LINES) == 0:
            _say(f"judged {done} of {self._all} servers")


def _say(line: str) -> None:
    print(line, file=sys.__stdout__, flush=True)
