"""Systems Manager Run Command over HTTP on loopback: the local cloud's own service, with instances that a test plays.

The states, limits, cut-offs and throttling are those of `goldfleet.localcloud.ssm`; what a command does on an instance is the
test's to say. No moto, no machine, no signature check.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

import boto3
from botocore.config import Config
from werkzeug.serving import WSGIRequestHandler, make_server

from goldfleet.localcloud.ssm.model import Result
from goldfleet.localcloud.ssm.output import stderr_content, stdout_content
from goldfleet.localcloud.ssm.ports import Node, Ran, Reach, Script
from goldfleet.localcloud.ssm.refusals import CallRefusedError
from goldfleet.localcloud.ssm.schedule import Schedule
from goldfleet.localcloud.ssm.service import Ports, RunCommand, Settings
from goldfleet.localcloud.ssm.throttle import GENEROUS, Rate, Throttle
from goldfleet.localcloud.state import REGION

Answer = Callable[[str, str], tuple[int, str | bytes, str | bytes]]
KILLED = 137
QUICK = Settings(pick_up=0.02, retry=0.1, visible_after=0.1)


class VanishedError(Exception):
    """Raised by a test's answer: the instance went away while the command ran, and nobody will tell how it ended."""


@dataclass
class PlayedInstances:
    """The managed nodes, whose reach a test may set, and their agents, which ask the test."""

    nodes: dict[str, Node]
    answer: Answer
    reaches: dict[str, Reach] = field(default_factory=dict)

    def all(self) -> list[Node]:
        """Return every node that is not gone, as it can be reached now."""
        found = (Node(**vars(node) | {"reach": self.reach(node.instance_id)}) for node in self.nodes.values())
        return [node for node in found if node.reach is not Reach.GONE]

    def reach(self, instance_id: str) -> Reach:
        """Return how a node can be reached now."""
        return self.reaches.get(instance_id, Reach.ONLINE) if instance_id in self.nodes else Reach.GONE

    def run(self, instance_id: str, script: Script, *, keep_output: bool) -> Ran | None:
        """Ask the test, beside everything else; what takes longer than the time-out, or is cancelled, is not waited for."""
        told: list[tuple[int, bytes, bytes] | None] = []
        ended = threading.Event()

        def ask() -> None:
            try:
                code, out, error = self.answer(instance_id, script.text)
                told.append((code, _bytes(out), _bytes(error)))
            except VanishedError:
                told.append(None)
            finally:
                ended.set()

        if not self._wait(ask, ended, script):
            result = Result(
                KILLED, "", "", timed_out=not script.cancelled.is_set(), cancelled=script.cancelled.is_set()
            )
            return Ran(result)
        if told[0] is None:
            return None
        code, out, error = told[0]
        output = {"stdout": out, "stderr": error} if keep_output else {}
        return Ran(Result(code, stdout_content(out), stderr_content(error, code)), output)

    def _wait(self, ask: Callable[[], None], ended: threading.Event, script: Script) -> bool:
        """Ask, and say whether there was an answer in time."""
        threading.Thread(target=ask, daemon=True).start()
        deadline = time.monotonic() + script.timeout_seconds
        while not ended.wait(0.05):
            if script.cancelled.is_set() or time.monotonic() >= deadline:
                return False
        return True


@dataclass
class KeptOutputs:
    """Outputs by bucket and key."""

    objects: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def put(self, bucket: str, key: str, content: bytes) -> None:
        """Keep one."""
        self.objects[bucket, key] = content


@dataclass(frozen=True)
class EmulatedFleet:
    """A running service and its instances, members of one Auto Scaling group."""

    url: str
    group: str
    played: PlayedInstances
    outputs: KeptOutputs
    service: RunCommand

    @property
    def instance_ids(self) -> list[str]:
        """The instances' ids, in the order in which they are listed."""
        return list(self.played.nodes)

    @property
    def calls(self) -> Counter[str]:
        """How often each action was called, throttled calls included."""
        return self.service.throttle.calls

    @property
    def throttled(self) -> Counter[str]:
        """How often each action was answered with ThrottlingException."""
        return self.service.throttle.throttled

    @property
    def target(self) -> dict[str, Any]:
        """The target that means all instances of the group."""
        return {"Key": "tag:aws:autoscaling:groupName", "Values": [self.group]}

    def client(self, **config: Any) -> Any:
        """Return a boto3 client of the service; it retries nothing unless told so by botocore's config."""
        options: dict[str, Any] = {"retries": {"total_max_attempts": 1}, "max_pool_connections": 50} | config
        return cast("Any", boto3.client)(
            "ssm", region_name=REGION, endpoint_url=self.url, aws_access_key_id="test", aws_secret_access_key="test",
            config=Config(**options),
        )  # fmt: skip


@contextmanager
def run_command(
    answer: Answer,
    count: int = 3,
    group: str = "web",
    rates: Mapping[str, Rate] | None = None,
    otherwise: Rate = GENEROUS,
    settings: Settings = QUICK,
) -> Iterator[EmulatedFleet]:
    """Serve Run Command for `count` managed instances of a group until the block ends.

    `answer` is called with an instance's id and the script, in a thread of each invocation, and returns exit code, standard
    output and standard error. `rates` caps actions by name, `otherwise` all others.
    """
    nodes = {node.instance_id: node for node in (_node(number, group) for number in range(1, count + 1))}
    played, outputs, schedule = PlayedInstances(nodes, answer), KeptOutputs(), Schedule(time.time)
    throttle = Throttle(rates or {}, otherwise)
    service = RunCommand(Ports(played, played, outputs), schedule, time.time, settings, throttle)
    server = make_server("127.0.0.1", 0, _application(service), threaded=True, request_handler=_Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    schedule.start()
    try:
        yield EmulatedFleet(f"http://127.0.0.1:{server.server_port}", group, played, outputs, service)
    finally:
        schedule.stop()
        server.shutdown()
        server.server_close()


def _node(number: int, group: str) -> Node:
    tags = {"aws:autoscaling:groupName": group, "Name": f"{group}-{number}"}
    address = f"10.0.{number // 250}.{number % 250 + 1}"
    return Node(f"i-{number:017x}", f"ip-{address.replace('.', '-')}.ec2.internal", address, tags=tags)


class _Quiet(WSGIRequestHandler):  # type: ignore[misc]  # werkzeug's types are skipped
    """Keeps connections open, as AWS does, and writes no access log."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


def _application(service: RunCommand) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    """Return a WSGI application that speaks AWS's JSON protocol for a service."""

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        action = environ["HTTP_X_AMZ_TARGET"].rpartition(".")[2]
        request = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        try:
            status, answer = "200 OK", service.call(action, json.loads(request or b"{}"))
        except CallRefusedError as refusal:
            status, answer = "400 Bad Request", {"__type": refusal.code, "message": str(refusal)}
        body = json.dumps(answer, default=_seconds).encode()
        headers = [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(body)))]
        start_response(status, headers)
        return [body]

    return application


def _seconds(moment: datetime) -> float:
    return moment.timestamp()


def _bytes(written: str | bytes) -> bytes:
    return written.encode() if isinstance(written, str) else written
