"""A proxy with faults between a tool and the local cloud: PyPI's microburst, in a process of its own, with a seed.

microburst draws from Python's shared generator and has no option for its seed, hence the program below. The order of the
draws is fixed by the seed; which call meets which draw is not, as the tool calls from several threads.
It signs anew what it forwards, since the Host header that the tool signed is the proxy's: with the operator's keys.
"""

import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.localcloud.conftest import Cloud, wait_for

PROGRAM = (
    "import random, sys; from microburst.cli import main; random.seed(int(sys.argv[1])); sys.exit(main(sys.argv[2:]))"
)
SERVICES = {"autoscaling": "Throttling", "ec2": "RequestLimitExceeded", "elbv2": "Throttling"}
"""Service names as microburst has them (boto3's), with the code of each one's throttling.

Source: EC2 API reference, "Request throttling"; API references of Auto Scaling and ELB, "Common errors".
"""


@dataclass(frozen=True)
class Shares:
    """The share of calls that meet each fault; a call meets one at most."""

    throttled: float = 0.15
    reset: float = 0.10
    unanswered: float = 0.05
    delayed: float = 0.20


def fault_rules(shares: Shares) -> list[dict[str, Any]]:
    """Return microburst's rules. It asks them in turn and draws for each; `unanswered` is done and then not answered."""
    effects = (
        ("throttled", shares.throttled),
        ("reset", shares.reset),
        ("unanswered", shares.unanswered),
        ("delayed", shares.delayed),
    )
    rules, left = [], 1.0
    for kind, share in effects:
        rules += [
            {"service": service, "probability": share / left} | effect_of(kind, code)
            for service, code in SERVICES.items()
        ]
        left -= share
    return rules


def effect_of(kind: str, code: str) -> dict[str, Any]:
    """Return what a rule does to a call."""
    match kind:
        case "throttled":
            return {"error": {"code": code, "message": "Rate exceeded"}}
        case "reset":
            return {"reset": True}
        case "unanswered":
            return {"response": {"abort_frac": 0.2}}
        case _:
            return {"latency": {"min": 200, "max": 2000}}


@dataclass(frozen=True)
class FaultProxy:
    """A running proxy. `cloud` is the same local cloud, reached through it."""

    cloud: Cloud
    endpoint_url: str

    def fired(self) -> Counter[tuple[str, str]]:
        """Return how often each fault happened: (service, what microburst calls the kind)."""
        events = self.ask("fired?limit=2000")
        return Counter((event["service"], event["action"].partition(":")[0]) for event in events)

    def ask(self, path: str) -> Any:
        """Return an answer of the proxy's control API."""
        with urllib.request.urlopen(f"{self.endpoint_url}/_microburst/{path}", timeout=5) as answer:  # noqa: S310
            return json.load(answer)

    def is_ready(self) -> bool:
        """Tell whether it answers."""
        try:
            return bool(self.ask("health"))
        except OSError:
            return False


@contextmanager
def running_fault_proxy(cloud: Cloud, folder: Path, seed: int, shares: Shares | None = None) -> Iterator[FaultProxy]:
    """Run the proxy before a cloud on a free port of loopback."""
    rules, port = folder / "rules.json", free_port()
    rules.write_text(json.dumps({"rules": fault_rules(shares or Shares())}))  # YAML reads JSON
    url = f"http://127.0.0.1:{port}"
    with (folder / "fault_proxy.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(seed), "--upstream", cloud.env["AWS_ENDPOINT_URL"], "--port", str(port),
             "--config", str(rules), "--resign"],
            env=os.environ | cloud.env, stdout=log, stderr=log,
        )  # fmt: skip
    proxy = FaultProxy(replace(cloud, env=cloud.env | {"AWS_ENDPOINT_URL": url}), url)
    try:
        wait_for("the fault proxy", proxy.is_ready, 20)
        yield proxy
    finally:
        process.terminate()
        process.wait(timeout=10)


def free_port() -> int:
    """Return a free TCP port of loopback."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
