"""Debian's Chromium without a screen, looking at one page.

Chromium asks its maker's servers for this and that, whatever it is told. So all its requests go to a proxy that closes every
connection, nothing leaves the machine, and its own log tells which requests a page began.
"""

import json
import os
import shutil
import socket
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--hide-scrollbars", "--window-size=1280,1600", "--enable-logging=stderr", "--virtual-time-budget=2000",
)  # fmt: skip
TIMEOUT_SECONDS = 90.0


@dataclass(frozen=True)
class Seen:
    """What a page became: its document after scripts have run, lines of the console, and the URLs that it asked for."""

    document: str
    console: tuple[str, ...]
    asked: tuple[str, ...]


class ProxyThatRefuses:
    """Closes every connection."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                self._listener.accept()[0].close()

    def close(self) -> None:
        """Stop listening."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def requests_of_pages(log: Path) -> tuple[str, ...]:
    """Return the URLs that pages asked for, from Chromium's log; its own requests have no origin."""
    document = json.loads(log.read_text())
    started = document["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    asked = [event["params"] for event in document["events"] if event["type"] == started and "url" in event["params"]]
    return tuple(params["url"] for params in asked if params["initiator"] != "not an origin")


def look_at(page: Path, profile: Path, *flags: str) -> Seen:
    """Open a page with a new profile. Fails when Chromium is not installed, as a browser nobody opened proves nothing."""
    program = shutil.which("chromium")
    assert program, "chromium is not on PATH: run `make setup`"
    log = profile.with_suffix(".net.json")
    proxy = ProxyThatRefuses()
    try:
        ended = subprocess.run(
            [
                program, *FLAGS, *flags, f"--user-data-dir={profile}", f"--log-net-log={log}",
                f"--proxy-server={proxy.address}", "--proxy-bypass-list=<-loopback>", "--dump-dom", page.as_uri(),
            ],
            env={**os.environ, "HOME": str(profile)},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=True,
        )  # fmt: skip
    finally:
        proxy.close()
    console = tuple(line for line in ended.stderr.splitlines() if ":CONSOLE" in line)
    return Seen(ended.stdout, console, requests_of_pages(log))
