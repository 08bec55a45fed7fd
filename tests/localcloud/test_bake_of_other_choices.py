"""A bake in which every default of base and web_stack is moved, with accounts of its own and an agent installed at launch.

Molecule tries these settings role by role; here the seal, the boot of the copy, every spec and a launched server follow.
"""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from goldfleet.localcloud.codedeploy.packages import VERSIONS
from tests.localcloud.bakes import NOTHING_LEFT, bake_published, change_settings, leftovers, real_project
from tests.localcloud.conftest import ROOT, Cloud, wait_for
from tests.localcloud.test_codedeploy_agent import agent, says, wait_for_agent

pytestmark = pytest.mark.long
ACCOUNTS = ("ada", "release")


@dataclass(frozen=True)
class Launched:
    """A server launched from the published image, what the bake printed, and the private key of each account."""

    server: str
    outcome: dict[str, Any]
    keys: dict[str, Path]


def alternative(role: str) -> dict[str, Any]:
    """Return the variables of a role's scenario `alternative`, in which every default is moved."""
    scenario = yaml.safe_load((ROOT / "roles" / role / "molecule/alternative/molecule.yml").read_text())
    variables: dict[str, Any] = scenario["provisioner"]["inventory"]["group_vars"]["all"]["molecule_variables"]
    return variables


def choices(keys: dict[str, Path]) -> dict[str, Any]:
    """Return the image's variables: the certificate is the one that each server signs itself at its boot."""
    public = {name: key.with_suffix(".pub").read_text().strip() for name, key in keys.items()}
    return (
        alternative("base")
        | alternative("web_stack")
        | agent(2, "launch")
        | {
            # goldfleet.toml has no null.
            "web_stack_security_headers": {"X-Frame-Options": "", "Referrer-Policy": "no-referrer"},
            "base_packages": alternative("base")["base_packages"],
            "base_admin_users": [{"name": "ada", "authorized_keys": [public["ada"]]}],
            "base_deploy_authorized_keys": [public["release"]],
            "web_stack_tls_certificate_file": "",
            "web_stack_tls_key_file": "",
        }
    )


@pytest.fixture(scope="module")
def launched(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launched]:
    """Bake the image, which must be published, and launch one server."""
    keys = {name: tmp_path_factory.mktemp("keys") / name for name in ACCOUNTS}
    for key in keys.values():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    project = real_project(tmp_path_factory.mktemp("project") / "p")
    change_settings(project, choices(keys))
    outcome = bake_published(cloud, project)
    (server,) = cloud.launch("--metadata-options", "HttpTokens=required", image=outcome["image_id"])
    cloud.wait_state(server, "running")
    yield Launched(server, outcome, keys)
    cloud.terminate(server)


def test_image_is_published_after_every_spec_has_looked_at_its_copy(cloud: Cloud, launched: Launched) -> None:
    shown = json.loads(cloud.goldfleet("images", "show", "app", "--json").stdout)
    assert shown["image_id"] == launched.outcome["image_id"]
    assert shown["facts"]["checks"]["failed"] == 0
    assert shown["facts"]["checks"]["passed"] > 200
    assert leftovers(cloud) == NOTHING_LEFT


@pytest.mark.parametrize("account", ACCOUNTS)
def test_accounts_of_the_image_get_in_with_their_keys(cloud: Cloud, launched: Launched, account: str) -> None:
    """The seal takes the keys of the build, not those that the image is to have."""
    known_hosts = cloud.pinned_host_keys(launched.server)
    address = cloud.instance(launched.server)["PrivateIpAddress"]
    command = [
        "ssh", "-F", "none", "-i", str(launched.keys[account]), "-o", f"UserKnownHostsFile={known_hosts}",
        "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", f"{account}@{address}", "id -un",
    ]  # fmt: skip
    assert wait_for(f"login of {account}", lambda: cloud.run(*command, check=False).stdout, 60) == f"{account}\n"


def test_server_installs_its_agent_and_serves_with_a_certificate_of_its_own(cloud: Cloud, launched: Launched) -> None:
    wait_for_agent(cloud, launched.server)
    assert says(cloud, launched.server, "dpkg-query -W -f '${Version}' codedeploy-agent") == VERSIONS[2]
    ask = "curl -sk -o /dev/null -w '%{http_code}' https://localhost/healthcheck.html"
    wait_for("health by TLS", lambda: says(cloud, launched.server, ask) == "200", 60)
    subject = (
        "openssl x509 -noout -subject -issuer -in /run/goldfleet/tls/certificate.pem | cut -d= -f2- | sort -u | wc -l"
    )
    assert says(cloud, launched.server, subject) == "1"  # signed by itself
