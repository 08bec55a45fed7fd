"""The instance metadata service, asked as a machine asks it."""

import json
import sys
import threading
from dataclasses import replace

import pytest
from werkzeug.test import Client

from goldfleet.localcloud.metadata import InstanceMetadata, MetadataService, RoleCredentials

ADDRESS, OTHER = "10.64.0.4", "10.64.0.5"
INSTANCE = InstanceMetadata(
    http_endpoint="enabled",
    http_tokens="required",
    user_data=b"#!/bin/sh\n",
    categories={"instance-id": "i-1", "placement/region": "us-east-1", "public-keys/0/openssh-key": "ssh-ed25519 A"},
    identity_document={"instanceId": "i-1"},
    key_name="launch",
    role_name="web",
)
CREDENTIALS = RoleCredentials("ASIA1", "secret", "token", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z")


class TwoInstances:
    """A source that knows two instances; the first has a role."""

    def __init__(self, first: InstanceMetadata) -> None:
        self._known = {ADDRESS: first, OTHER: replace(first, role_name=None)}

    def instance_at(self, address: str) -> InstanceMetadata | None:
        return self._known.get(address)

    def credentials_for(self, address: str) -> RoleCredentials | None:
        return CREDENTIALS if address == ADDRESS else None


class Asker:
    """Asks the service from one address."""

    def __init__(self, instance: InstanceMetadata = INSTANCE) -> None:
        self.now = 0.0
        self._client = Client(MetadataService(TwoInstances(instance), clock=lambda: self.now))

    def token(self, seconds: str = "60", address: str = ADDRESS) -> str:
        headers = {"X-aws-ec2-metadata-token-ttl-seconds": seconds}
        answer = self._client.put("/latest/api/token", headers=headers, environ_base={"REMOTE_ADDR": address})
        return answer.get_data(as_text=True) if answer.status_code == 200 else f"status {answer.status_code}"

    def get(self, path: str, token: str | None, address: str = ADDRESS) -> tuple[int, str]:
        headers = {"X-aws-ec2-metadata-token": token} if token is not None else {}
        answer = self._client.get(path, headers=headers, environ_base={"REMOTE_ADDR": address})
        return answer.status_code, answer.get_data(as_text=True)


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/latest/meta-data/instance-id", "i-1"),
        ("/latest/meta-data/placement/region", "us-east-1"),
        ("/2021-03-23/meta-data/placement/", "region"),
        ("/latest/meta-data/", "iam/\ninstance-id\nplacement/\npublic-keys/"),
        ("/latest/meta-data/public-keys/", "0=launch"),
        ("/latest/meta-data/public-keys/0/openssh-key", "ssh-ed25519 A"),
        ("/latest/meta-data/iam/security-credentials/", "web"),
        ("/latest/user-data", "#!/bin/sh\n"),
        ("/latest/dynamic/", "instance-identity/"),
        ("/latest/", "dynamic/\nmeta-data/\nuser-data"),
        ("/", "latest"),
    ],
)
def test_documents(path: str, wanted: str) -> None:
    asker = Asker()
    assert asker.get(path, asker.token()) == (200, wanted)


def test_role_credentials_are_in_awss_words() -> None:
    asker = Asker()
    status, body = asker.get("/latest/meta-data/iam/security-credentials/web", asker.token())
    assert status == 200
    assert json.loads(body) == {
        "Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "ASIA1", "SecretAccessKey": "secret", "Token": "token",
        "LastUpdated": "2026-01-01T00:00:00Z", "Expiration": "2026-01-01T01:00:00Z",
    }  # fmt: skip


@pytest.mark.parametrize("path", ["/latest/meta-data/nothing", "/latest/nothing", "/latest/meta-data/iam/x"])
def test_unknown_document_is_not_found(path: str) -> None:
    asker = Asker()
    assert asker.get(path, asker.token())[0] == 404


def test_instance_without_role_has_no_iam() -> None:
    asker = Asker()
    assert asker.get("/latest/meta-data/iam/security-credentials/", asker.token(address=OTHER), OTHER)[0] == 404


def test_no_token_is_refused_when_tokens_are_required_and_answered_when_optional() -> None:
    assert Asker().get("/latest/meta-data/instance-id", None)[0] == 401
    assert Asker(replace(INSTANCE, http_tokens="optional")).get("/latest/meta-data/instance-id", None) == (200, "i-1")


def test_token_ends_with_its_time_and_belongs_to_one_instance() -> None:
    asker = Asker()
    token = asker.token("60")
    assert asker.get("/latest/meta-data/instance-id", token, OTHER)[0] == 401
    asker.now = 61
    assert asker.get("/latest/meta-data/instance-id", token)[0] == 401


@pytest.mark.parametrize("seconds", ["", "0", "21601", "-1", "abc"])
def test_token_with_a_bad_time_is_refused(seconds: str) -> None:
    assert Asker().token(seconds) == "status 400"


def test_unknown_address_and_disabled_endpoint_are_refused() -> None:
    assert Asker().get("/latest/meta-data/", None, "10.64.0.9")[0] == 403
    assert Asker(replace(INSTANCE, http_endpoint="disabled")).get("/latest/meta-data/", None)[0] == 403


def test_tokens_issued_side_by_side_are_all_good() -> None:
    asker, refused = Asker(), list[str]()

    def ask() -> None:
        for _ in range(50):
            token = asker.token()
            if asker.get("/latest/meta-data/instance-id", token)[0] != 200:
                refused.append(token)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert refused == []
