"""goldfleet-settings: what is resolved, what is refused and in which words, who may read it, and when a server is held."""

from __future__ import annotations

import http.server
import json
import os
import socket
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions as aws
from botocore.session import Session
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from tests.functional.roles.programs import load_program

program = load_program("app_settings", "goldfleet-settings")
SECRET = "hunter2-of-the-database"
DENIED = "User: arn:aws:sts::1:assumed-role/web/i-1 is not authorized to perform: "


class ParameterStore:
    """Parameter Store and Secrets Manager with what a test puts there; a value that is an exception is raised."""

    def __init__(self, parameters: Any = (), secrets: dict[str, Any] | None = None) -> None:
        self._parameters, self._secrets = parameters, secrets or {}

    def __call__(self, identity: Any) -> ParameterStore:
        return self

    def parameters(self, path: str) -> list[tuple[str, str]]:
        if isinstance(self._parameters, Exception):
            raise self._parameters
        return list(self._parameters)

    def secret(self, secret_id: str) -> str | None:
        found = self._secrets[secret_id]
        if isinstance(found, Exception):
            raise found
        return None if found is None else str(found)


def refusal(code: str, message: str = "") -> aws.ClientError:
    """Return an error as AWS answers it."""
    return aws.ClientError({"Error": {"Code": code, "Message": message}}, "Operation")


def identify() -> Any:
    """Return who the server is."""
    return program.Identity("eu-west-1", "web", "AKIA", "key", "token")


def make_source(**changes: Any) -> Any:
    """Return what is to be resolved, from Parameter Store unless said otherwise."""
    facts: dict[str, Any] = {
        "environment": "production", "application": "web", "parameter_store": True, "secrets": (), "required": (),
        "group": "root", "retry_seconds": 5,
    }  # fmt: skip
    return program.Source(**(facts | changes))


def resolve(store: ParameterStore, **changes: Any) -> dict[str, str]:
    """Resolve a source from a store."""
    settings: dict[str, str] = program.resolve(make_source(**changes), store, "web")
    return settings


@pytest.fixture
def places(tmp_path: Path) -> Any:
    """A server's files in a folder of the test's own, held as systemd-tmpfiles does it at boot."""
    (tmp_path / "hold").mkdir()
    (tmp_path / "hold/settings").write_text("settings are not resolved yet")
    return program.Places(
        str(tmp_path / "app_settings.json"), str(tmp_path / "environment"), str(tmp_path / "settings.json"),
        str(tmp_path / "settings.env"), str(tmp_path / "hold/settings"),
    )  # fmt: skip


def want(places: Any, **changes: Any) -> None:
    """Write what role app_settings writes."""
    facts: dict[str, Any] = {
        "environment": "production", "application": "web", "parameter_store": True, "secrets": [], "required": [],
        "group": "root", "retry_seconds": 5,
    }  # fmt: skip
    Path(places.source).write_text(json.dumps(facts | changes))


def attempt(places: Any, store: ParameterStore) -> Any:
    """Resolve once."""
    return program.attempt(places, store, identify)


def test_settings_are_named_without_the_path_and_with_the_secrets_prefix() -> None:
    store = ParameterStore([("database/main/host", "db")], {"s": '{"username": "app", "port": 3306, "ssl": true}'})
    settings = resolve(store, secrets=(("s", "database/main"),))
    assert settings == {
        "database/main/host": "db", "database/main/port": "3306", "database/main/ssl": "true",
        "database/main/username": "app",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["plain", "42", '"quoted"', "[1]", "{broken", ""])
def test_secret_that_is_no_object_is_one_setting(text: str) -> None:
    assert resolve(ParameterStore([("a", "b")], {"s": text}), secrets=(("s", "key"),))["key"] == text


@pytest.mark.parametrize(
    ("store", "changes", "said"),
    [
        (ParameterStore(), {}, "Parameter Store holds nothing below /goldfleet/production/web/"),
        (ParameterStore([("a", "b")]), {"required": ("a", "x/y", "z")}, "required settings are missing: x/y, z."),
        (ParameterStore([("a", "")]), {"required": ("a",)}, "required settings are missing: a."),
        (ParameterStore([("a/b", "1"), ("a-b", "2")]), {}, "settings a-b and a/b both give the variable A_B."),
        (
            ParameterStore([("k/u", "1")], {"s": '{"u": "2"}'}), {"secrets": (("s", "k"),)},
            "setting k/u is given by parameter /goldfleet/production/web/k/u and by key u of secret s.",
        ),
        (ParameterStore([("a", "b")], {"s": None}), {"secrets": (("s", "k"),)}, "secret s is binary."),
        (
            ParameterStore([("a", "b")], {"s": '{"u": {"v": 1}, "w": null, "x": "y"}'}), {"secrets": (("s", "k"),)},
            "secret s: u, w must be text or a number",
        ),
    ],
    ids=["empty-path", "missing", "empty-required", "one-variable", "given-twice", "binary", "wrong-types"],
)  # fmt: skip
def test_what_cannot_be_used_is_named(store: ParameterStore, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(program.Unresolved, match="^" + said.replace("(", r"\(")):
        resolve(store, **changes)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            refusal("AccessDeniedException", DENIED + "ssm:GetParametersByPath"),
            "role web may not do ssm:GetParametersByPath on /goldfleet/production/web. Allow it in the role's policy.",
        ),
        (refusal("AccessDeniedException", DENIED + "kms:Decrypt"), "role web may not do kms:Decrypt on the key of"),
        (refusal("InvalidSignatureException", "Signature expired"), "refuses the request's time"),
        (refusal("RequestExpired"), "Set this server's clock right"),
        (refusal("UnrecognizedClientException"), "refuses the credentials of role web"),
        (refusal("ThrottlingException"), "asks for fewer requests"),
        (refusal("InternalServerError", "we are sorry"), "answered ssm:GetParametersByPath with InternalServerError"),
        (aws.ConnectTimeoutError(endpoint_url="https://x"), "Parameter Store does not answer (time-out)."),
        (aws.ReadTimeoutError(endpoint_url="https://x"), "Parameter Store does not answer (time-out)."),
        (aws.EndpointConnectionError(endpoint_url="https://x"), "Parameter Store does not answer (no connection)."),
        (aws.ConnectionClosedError(endpoint_url="https://x"), "Parameter Store does not answer (no connection)."),
        (aws.SSLError(endpoint_url="https://x", error=OSError()), "shows a certificate that this server does not trust"),
        (RuntimeError("a driver's word"), "Parameter Store failed: RuntimeError."),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)  # fmt: skip
def test_each_failure_of_parameter_store_has_its_own_words(error: Exception, said: str) -> None:
    with pytest.raises(program.Unresolved) as refused:
        resolve(ParameterStore(error))
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("AccessDeniedException", "role web may not do secretsmanager:GetSecretValue on app/db."),
        ("ResourceNotFoundException", "there is no secret app/db."),
    ],
)
def test_failure_of_a_secret_names_the_secret(code: str, said: str) -> None:
    store = ParameterStore([("a", "b")], {"app/db": refusal(code)})
    with pytest.raises(program.Unresolved, match=said):
        resolve(store, secrets=(("app/db", "db"),))


def test_all_pages_are_read_decrypted() -> None:
    client = Session().create_client(
        "ssm", region_name="eu-west-1", aws_access_key_id="AKIA", aws_secret_access_key="key"
    )
    wanted = {"Path": "/goldfleet/production/web", "Recursive": True, "WithDecryption": True}

    class OneClient(program.Aws):  # type: ignore[misc,name-defined]
        def client(self, service: str) -> Any:
            assert service == "ssm"
            return client

    with Stubber(client) as stub:
        one = {"Name": "/goldfleet/production/web/a/b", "Value": "1"}
        stub.add_response("get_parameters_by_path", {"Parameters": [one], "NextToken": "n"}, wanted)
        two = {"Name": "/goldfleet/production/web/c", "Value": "2"}
        stub.add_response("get_parameters_by_path", {"Parameters": [two]}, wanted | {"NextToken": "n"})
        assert OneClient(identify()).parameters("/goldfleet/production/web") == [("a/b", "1"), ("c", "2")]
        stub.assert_no_pending_responses()


def test_client_has_the_roles_credentials_only_and_does_not_wait_long(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"AWS_PROFILE": "mine", "AWS_ENDPOINT_URL": "http://other", "AWS_REGION": "xx-none-1"}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    client = program.Aws(identify()).client("ssm")
    assert client.meta.endpoint_url == "https://ssm.eu-west-1.amazonaws.com"
    limits = client.meta.config
    assert (limits.connect_timeout, limits.read_timeout, limits.retries["total_max_attempts"]) == (3, 5, 1)


@pytest.mark.parametrize("name", ["Prod", "two words", "", "../web", "a" * 41, "prod\nstage", "-a", "é"])
def test_environment_that_is_no_word_is_refused(name: str, places: Any) -> None:
    want(places)
    Path(places.environment).write_text(name)
    with pytest.raises(program.Unresolved, match="does not hold the name of an environment") as refused:
        program.read_source(places)
    assert refused.value.code == 2


def test_environment_of_the_launch_wins_and_is_filled_in(places: Any) -> None:
    want(places, secrets=[{"secret_id": "goldfleet/{environment}/{application}/db", "prefix": "db"}])
    Path(places.environment).write_text("staging\n")
    source = program.read_source(places)
    assert (source.path, source.secrets) == ("/goldfleet/staging/web", (("goldfleet/staging/web/db", "db"),))


def test_settings_are_for_one_group_and_the_hold_is_taken_away(places: Any) -> None:
    want(places)
    outcome = attempt(places, ParameterStore([("database/main/password", SECRET)]))
    assert outcome == program.Outcome("1 settings resolved for /goldfleet/production/web", True)
    assert json.loads(Path(places.settings).read_text()) == {"database/main/password": SECRET}
    assert Path(places.variables).read_text().splitlines()[1:] == [f'DATABASE_MAIN_PASSWORD="{SECRET}"']
    assert {stat.S_IMODE(os.stat(path).st_mode) for path in (places.settings, places.variables)} == {0o640}
    assert not Path(places.hold).exists()


def test_same_settings_again_are_no_news(places: Any) -> None:
    want(places)
    attempt(places, ParameterStore([("a", "1")]))
    assert attempt(places, ParameterStore([("a", "1")])).is_new is False
    assert attempt(places, ParameterStore([("a", "2")])).is_new is True


def test_link_in_the_way_is_not_followed(places: Any, tmp_path: Path) -> None:
    want(places)
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    Path(f"{places.settings}.new").symlink_to(victim)
    attempt(places, ParameterStore([("a", "1")]))
    assert victim.read_text() == "untouched"


def test_nothing_to_resolve_writes_nothing_and_holds_nothing(places: Any) -> None:
    Path(places.settings).write_text('{"a": "by other means"}')
    outcome = attempt(places, ParameterStore())
    assert outcome.sentence.startswith("nothing to resolve")
    assert (Path(places.settings).exists(), Path(places.variables).exists()) == (True, False)
    assert not Path(places.hold).exists()


def test_settings_of_an_earlier_configuration_are_removed(places: Any) -> None:
    want(places)
    attempt(places, ParameterStore([("a", "1")]))
    want(places, parameter_store=False)
    assert attempt(places, ParameterStore()).is_new
    assert not Path(places.settings).exists()
    assert not Path(places.variables).exists()


def test_unknown_group_is_refused(places: Any) -> None:
    want(places, group="nobody-is-in-it")
    with pytest.raises(program.Unresolved, match="there is no group nobody-is-in-it"):
        attempt(places, ParameterStore([("a", "1")]))


class Attempts:
    """Attempts that fail for given reasons, one after the other, and then work."""

    def __init__(self, places: Any, *reasons: str) -> None:
        self._reasons, self._places = list(reasons), places
        self.waits: list[float] = []
        self.holds: list[str] = []

    def __call__(self, places: Any) -> Any:
        if self._reasons:
            raise program.Unresolved(self._reasons.pop(0))
        return program.attempt(places, ParameterStore([("a", SECRET)]), identify)

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.holds.append(program.read_hold(self._places))


def test_each_reason_is_said_once_and_the_server_is_held_until_it_works(
    places: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    want(places)
    attempts = Attempts(places, "no way out.", "no way out.", "denied.", "no way out.")
    program.keep_trying(places, attempts, attempts.sleep)
    reasons = ["no way out.", "denied.", "no way out."]
    held = "The server stays out of service; tried again until it works."
    assert capsys.readouterr().out.splitlines() == [f"settings are not resolved: {one} {held}" for one in reasons]
    assert attempts.holds == [f"settings are not resolved: {one}" for one in (reasons[0], *reasons)]
    assert all(4.0 <= wait <= 6.0 for wait in attempts.waits)
    assert not Path(places.hold).exists()


def test_restarted_program_does_not_repeat_a_reason(places: Any, capsys: pytest.CaptureFixture[str]) -> None:
    want(places)
    Path(places.hold).write_text("settings are not resolved: denied.\n")
    attempts = Attempts(places, "denied.")
    program.keep_trying(places, attempts, attempts.sleep)
    assert capsys.readouterr().out == ""


def test_server_that_has_its_settings_keeps_them_and_stays_in_service(
    places: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    want(places)
    attempt(places, ParameterStore([("a", "1")]))
    attempts = Attempts(places, "no way out.", "no way out.")
    program.keep_trying(places, attempts, attempts.sleep)
    assert attempts.holds == [None, None]
    (line,) = capsys.readouterr().out.splitlines()
    assert "The server keeps the settings that it has" in line


def test_server_that_is_to_read_others_is_held_from_the_first_attempt_on(places: Any) -> None:
    want(places)
    attempt(places, ParameterStore([("a", "1")]))
    want(places, environment="staging")
    program.hold_at_first(places)
    assert program.read_hold(places) == "settings are not resolved yet"


def test_server_that_waits_for_nothing_is_not_held(places: Any) -> None:
    Path(places.hold).unlink()
    program.hold_at_first(places)
    assert program.read_hold(places) is None


@pytest.mark.parametrize(("is_new", "verb"), [(True, "restart"), (False, "start")])
def test_what_waits_for_settings_is_started(
    is_new: bool, verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/said\n')
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert program.announce(program.Outcome("done", is_new)) == 0
    assert (tmp_path / "said").read_text() == f"{verb} --no-block goldfleet-settings.target\n"
    assert capsys.readouterr().out == "done\n"


VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,5}(/[a-z0-9_.-]{1,5})?", fullmatch=True)


@given(st.dictionaries(NAMES, VALUES, max_size=3, min_size=1))
def test_variables_are_read_back_by_a_shell_as_they_were(settings: dict[str, str]) -> None:
    try:
        variables = program.variables_of(settings)
    except program.Unresolved:
        return  # two names with one variable, which has its own test
    script = f"{program.as_environment_file(settings)}\nprintf '%s\\0' " + " ".join(
        f'"${{{name}}}"' for name in variables
    )
    printed = subprocess.run(["sh"], input=script.encode(), capture_output=True, check=True).stdout
    assert printed.decode().split("\0")[:-1] == list(variables.values())


Answers = dict[tuple[str, str], tuple[int, str]]
TOKEN = ("PUT", "/api/token")
REGION = ("GET", "/meta-data/placement/region")
ROLE = ("GET", "/meta-data/iam/security-credentials/")
KEYS = ("GET", "/meta-data/iam/security-credentials/web")
GOOD: Answers = {
    TOKEN: (200, "t"), REGION: (200, "eu-west-1"), ROLE: (200, "web"),
    KEYS: (200, '{"AccessKeyId": "AKIA", "SecretAccessKey": "key", "Token": "token"}'),
}  # fmt: skip


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Answers], None]]:
    """Start a metadata service that gives the given answers."""
    servers: list[http.server.ThreadingHTTPServer] = []

    def start(answers: Answers) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                code, text = answers.get((self.command, self.path), (404, ""))
                self.send_response(code)
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_PUT = answer  # noqa: N815  the names that http.server looks for

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(program, "METADATA", f"http://127.0.0.1:{server.server_port}")

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_credentials_are_the_instances(metadata: Callable[[Answers], None]) -> None:
    metadata(GOOD)
    assert program.read_identity() == identify()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({TOKEN: (403, "")}, "gives no token (HTTP 403)"),
        ({ROLE: (404, "")}, "this instance has no role. Launch it with an instance profile."),
        ({ROLE: (500, "")}, "gives no credentials (HTTP 500)"),
        ({KEYS: (200, '{"Code": "AssumeRoleUnauthorizedAccess"}')}, "gives no usable credentials"),
        ({KEYS: (200, "")}, "gives no usable credentials"),
        ({ROLE: (200, "")}, "gives no usable credentials"),
    ],
)
def test_each_failure_of_the_metadata_service_has_its_own_words(
    changes: Answers, said: str, metadata: Callable[[Answers], None]
) -> None:
    metadata(GOOD | changes)
    with pytest.raises(program.Unresolved) as refused:
        program.read_identity()
    assert said in str(refused.value)


def test_no_metadata_service_is_said_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setattr(program, "METADATA", f"http://127.0.0.1:{unused.getsockname()[1]}")
        monkeypatch.setattr(program, "METADATA_ATTEMPTS", 1)
        with pytest.raises(program.Unresolved, match=r"does not answer \(Connection refused\). Off EC2 set"):
            program.read_identity()


def test_no_output_holds_a_value(places: Any, capsys: pytest.CaptureFixture[str]) -> None:
    want(places, secrets=[{"secret_id": "s", "prefix": "k"}], required=["x"])
    for secret in (f'{{"u": ["{SECRET}"]}}', f'{{"u": "{SECRET}"}}', SECRET):
        store = ParameterStore([("k", SECRET), ("k/u", SECRET)], {"s": secret})
        with pytest.raises(program.Unresolved) as refused:
            attempt(places, store)
        program.failed(refused.value, places, None)
    assert SECRET not in capsys.readouterr().out
