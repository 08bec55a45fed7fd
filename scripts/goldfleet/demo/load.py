"""Sends GETs at a steady rate until SIGTERM: a program of its own, so that whoever starts it is not disturbed by it.

    python -m goldfleet.demo.load --url http://10.64.0.9/ --expect-body-regex 'Image version: ([^<]+)' --out FILE.jsonl

The load is open: request n is due n / rate seconds after the start, whether or not earlier ones were answered, as users do
not wait for one another. Every second request uses a kept connection. It ends by itself when the process that started it
is gone. The last thing it does is one line of JSON on standard output.
"""

import argparse
import asyncio
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TextIO

from goldfleet.demo.client import Client, Expectation, parse_url
from goldfleet.demo.traffic import Request, RequestLog
from goldfleet.errors import GoldfleetError, UsageError


@dataclass
class Load:
    """Sends what is due and hands each outcome to `on_request`, in the order in which they end."""

    client: Client
    rate: float
    on_request: Callable[[Request], None]
    must_stop: Callable[[], bool]
    latest_start_seconds: float = 0.0
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self) -> None:
        """Send until told to stop, then wait for the answers that are still due."""
        now = asyncio.get_running_loop().time
        start, epoch = now(), time.time()
        for number in count():
            after = number / self.rate
            await asyncio.sleep(max(0.0, start + after - now()))
            if self.must_stop():
                break
            self.latest_start_seconds = max(self.latest_start_seconds, now() - start - after)
            self._begin(start + after, epoch + after, is_kept=number % 2 == 1)
        await asyncio.gather(*self._running)
        await self.client.close()

    def _begin(self, due: float, epoch: float, *, is_kept: bool) -> None:
        task = asyncio.create_task(self._send(due, epoch, is_kept=is_kept))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _send(self, due: float, epoch: float, *, is_kept: bool) -> None:
        self.on_request(await self.client.send(due, epoch, is_kept=is_kept))


async def run_until_told(options: argparse.Namespace, out: TextIO) -> dict[str, Any]:
    """Run the load, write each request to `out`, and return the summary."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    parent = os.getppid()
    requests: list[Request] = []

    def keep(request: Request) -> None:
        requests.append(request)
        out.write(json.dumps(request.to_document()) + "\n")

    expectation = Expectation(options.expect_status, options.expect_body_regex, options.timeout)
    client = Client(parse_url(options.url), expectation)
    load = Load(client, options.rate, keep, lambda: stop.is_set() or os.getppid() != parent)
    await load.run()
    return {**summary(RequestLog(tuple(requests))), "latest_start_seconds": round(load.latest_start_seconds, 4)}


def summary(log: RequestLog) -> dict[str, Any]:
    """Return what a run came to, as plain JSON values."""
    return {
        "sent": log.sent,
        "failed": log.failed,
        "kept": log.kept,
        "failures": {failure.error: failure.count for failure in log.failures},
        "versions": {seen.version: seen.count for seen in log.versions},
        "median_seconds": round(log.latency(0.5), 4),
        "p99_seconds": round(log.latency(0.99), 4),
        "slowest_seconds": round(log.latency(1), 4),
        "cpu_seconds": round(time.process_time(), 2),
    }


def parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options; ends with exit code 2 on a wrong one."""
    parser = argparse.ArgumentParser(
        prog="python -m goldfleet.demo.load", description="Send GETs at a steady rate until SIGTERM."
    )
    parser.add_argument("--url", required=True, help="where to, of scheme http")
    parser.add_argument("--rate", type=parse_positive, default=60.0, help="requests per second (default 60)")
    parser.add_argument(
        "--timeout", type=parse_positive, default=5.0, help="seconds that a request has in all (default 5)"
    )
    parser.add_argument("--expect-status", type=int, default=200, help="the status of a good answer (default 200)")
    parser.add_argument(
        "--expect-body-regex",
        type=parse_pattern,
        required=True,
        help="found in every good body; its first group is the version",
    )
    parser.add_argument("--out", type=Path, required=True, help="a new file for one JSON object per request")
    return parser.parse_args(arguments)


def parse_positive(text: str) -> float:
    """Return a number above zero."""
    try:
        number = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from error
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number above zero")
    return number


def parse_pattern(text: str) -> re.Pattern[str]:
    """Return a compiled regular expression."""
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no regular expression: {error}") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; return its exit code: 0 whatever became of the requests, 2 when it could not start."""
    options = parse_options(arguments)
    try:
        parse_url(options.url)
        with open_new(options.out) as out:
            facts = asyncio.run(run_until_told(options, out))
    except GoldfleetError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(json.dumps(facts) + "\n")
    return 0


def open_new(path: Path) -> TextIO:
    """Open the log for writing, line by line, so that it can be read while the load runs."""
    try:
        return path.open("w", buffering=1, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}.", "Name a file in a folder that exists."
        ) from error


if __name__ == "__main__":
    sys.exit(main())
