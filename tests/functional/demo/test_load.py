"""The load as a program of its own: its rate, its end, its record."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from goldfleet.clock import SystemClock, wait_until
from goldfleet.demo.load import main
from goldfleet.demo.logs import read_requests
from tests.doubles import web

PATTERN = "Image version: ([^<]+)"


def command(url: str, out: Path, *more: str) -> list[str]:
    return [
        sys.executable, "-m", "goldfleet.demo.load", "--url", url, "--expect-body-regex", PATTERN, "--out", str(out), *more,
    ]  # fmt: skip


def run_for(seconds: float, url: str, out: Path, *more: str) -> dict[str, Any]:
    """Run the load for a while from its first record on, and return its summary."""
    with subprocess.Popen(command(url, out, *more), stdout=subprocess.PIPE, text=True) as process:
        assert wait_until(lambda: out.exists() or None, SystemClock(), 20)
        time.sleep(seconds)
        process.terminate()
        printed, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    summary: dict[str, Any] = json.loads(printed)
    return summary


def test_steady_load_is_recorded_and_summed_up(tmp_path: Path) -> None:
    out = tmp_path / "requests.jsonl"
    with web.web_server(web.keeps_answering()) as url:
        summary = run_for(2, url, out, "--rate", "60")
    log = read_requests(out)
    assert (summary["sent"], summary["failed"]) == (log.sent, 0)
    assert summary["versions"] == {"run-1": log.sent}
    assert 60 <= log.sent <= 180
    assert 0.3 < log.kept / log.sent <= 0.5
    due = sorted(request.time for request in log.requests)
    assert due[-1] - due[0] == pytest.approx((log.sent - 1) / 60, abs=0.01)


def test_server_that_never_answers_does_not_slow_the_load_down(tmp_path: Path) -> None:
    out = tmp_path / "requests.jsonl"
    with web.web_server(web.never_answers) as url:
        summary = run_for(2, url, out, "--rate", "50", "--timeout", "1")
    assert summary["failures"] == {"no answer in time": summary["sent"]}
    assert summary["sent"] >= 60


def test_load_ends_when_whoever_started_it_is_gone(tmp_path: Path) -> None:
    out = tmp_path / "requests.jsonl"
    starter = (
        "import os, signal, subprocess, sys, time\n"
        "print(subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL).pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with web.web_server(web.keeps_answering()) as url:
        with subprocess.Popen(
            [sys.executable, "-c", starter, *command(url, out)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            load = int(process.stdout.readline())
            assert wait_until(lambda: (out.exists() and out.stat().st_size > 0) or None, SystemClock(), 20)
            process.send_signal(signal.SIGKILL)
        try:
            assert wait_until(lambda: None if is_running(load) else True, SystemClock(), 20)
        finally:
            with suppress(ProcessLookupError):
                os.kill(load, signal.SIGKILL)


def is_running(pid: int) -> bool:
    """Tell whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_wrong_url_is_a_usage_error_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "requests.jsonl"
    arguments = ["--url", "ftp://10.64.0.9/", "--expect-body-regex", PATTERN, "--out", str(out)]
    assert main(arguments) == 2
    assert "not a URL of scheme http" in capsys.readouterr().err
    assert not out.exists()


def test_log_that_cannot_be_written_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "nowhere" / "requests.jsonl"
    assert main(["--url", "http://127.0.0.1/", "--expect-body-regex", PATTERN, "--out", str(out)]) == 2
    assert f"{out} cannot be written: No such file or directory." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--rate", "0", "0 is not a number above zero"),
        ("--rate", "nan", "nan is not a number above zero"),
        ("--rate", "many", "'many' is no number"),
        ("--expect-body-regex", "(", "no regular expression"),
    ],
    ids=["no rate", "not a number", "a word", "open bracket"],
)
def test_wrong_option_ends_with_exit_code_2(
    option: str, value: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    good = {"--url": "http://127.0.0.1/", "--expect-body-regex": PATTERN, "--out": os.devnull}
    arguments = [word for pair in {**good, option: value}.items() for word in pair]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
