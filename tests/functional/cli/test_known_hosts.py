"""`goldfleet known-hosts` as its user meets it, with an EC2 of two instances that says nothing on its consoles."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

STATES = {"i-0000000a": "running", "i-0000000b": "stopped"}
INSTANCE = "<item><instanceId>{0}</instanceId><instanceState><name>{1}</name></instanceState></item>"


class SilentEc2(BaseHTTPRequestHandler):
    """Answers DescribeInstances by the filter instance-id, and GetConsoleOutput with nothing."""

    def do_POST(self) -> None:
        """Answer one call."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        call = {name: values[0] for name, values in parse_qs(body).items()}
        answer = f"<{call['Action']}Response>{self._answer(call)}</{call['Action']}Response>".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""

    def _answer(self, call: dict[str, str]) -> str:
        if call["Action"] != "DescribeInstances":
            return "<output></output>"
        found = "".join(INSTANCE.format(*one) for one in STATES.items() if one[0] in call.values())
        return f"<reservationSet><item><instancesSet>{found}</instancesSet></item></reservationSet>"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), SilentEc2) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def known_hosts(endpoint: str, project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_CONFIG_FILE": "/nowhere",
        "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": endpoint,
    }
    command = [sys.executable, "-m", "goldfleet", "known-hosts", "--json", "--wait-seconds", "0", *arguments]
    return subprocess.run(command, env=environment, cwd=project, capture_output=True, text=True, check=False)


def test_silent_console_is_one_json_document_and_exit_4(endpoint: str, tmp_path: Path) -> None:
    ended = known_hosts(endpoint, tmp_path, "i-0000000a")
    document = json.loads(ended.stdout)
    assert ended.returncode == 4
    assert document["instances"] == [{"instance_id": "i-0000000a", "names": ["i-0000000a"], "keys": 0}]
    assert document["error"]["kind"] == "AwsError"


def test_named_instances_that_are_not_running_are_refused_and_nothing_is_written(endpoint: str, tmp_path: Path) -> None:
    ended = known_hosts(endpoint, tmp_path, "i-0000000a", "i-0000000b", "i-0000000c")
    assert ended.returncode == 3
    assert json.loads(ended.stdout)["error"]["reasons"] == ["i-0000000b is stopped", "i-0000000c does not exist"]
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_made_is_refused(endpoint: str, tmp_path: Path) -> None:
    (tmp_path / ".goldfleet").write_text("a file")
    ended = known_hosts(endpoint, tmp_path, "i-0000000a")
    assert (ended.returncode, "Traceback" in ended.stderr) == (3, False)
    assert ".goldfleet/known_hosts cannot be written: " in ended.stderr
