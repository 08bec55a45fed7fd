"""A bake of everything that an application server has: agent, database, cache, settings and a share, sealed and verified.

The agent is of major 1, whose package starts it on the builder past systemd: it has run there, and the seal must take what it
wrote. The share is not required, since the kernel below containers has no NFS client.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from goldfleet.localcloud.codedeploy.packages import VERSIONS
from tests.functional.roles.tls_servers import Authority
from tests.localcloud.bakes import NOTHING_LEFT, bake_published, change_settings, leftovers, mounted_image, real_project
from tests.localcloud.conftest import Cloud
from tests.localcloud.shop import PASSWORD, open_shop, status, wait_in_service, wait_up
from tests.localcloud.test_codedeploy_agent import AGENT, agent, says, wait_for_agent

pytestmark = pytest.mark.long
SHARES = {"shared_storage_mounts": [{"path": "/srv/media", "server": "192.0.2.7", "required": False}]}
KEPT_BY_AGENTS = ("opt/codedeploy-agent/deployment-root", "opt/codedeploy-agent/state", "var/log/aws")
IDENTITY = "cat /etc/machine-id; hostname; ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub | cut -d' ' -f2"


@dataclass(frozen=True)
class Application:
    """The published image: where its files are, what the bake printed, and two servers launched from it."""

    files: Path
    outcome: dict[str, Any]
    servers: tuple[str, str]


@pytest.fixture(scope="module")
def application(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """Bake the whole image, which must be published, and launch two servers."""
    shop = open_shop(cloud, Authority(tmp_path_factory.mktemp("authority")))
    project = real_project(tmp_path_factory.mktemp("project") / "p")
    change_settings(project, shop.variables | agent(1, "image") | SHARES, copy_instance_profile="shop")
    outcome = bake_published(cloud, project)
    options = ["--iam-instance-profile", "Name=shop", "--metadata-options", "HttpTokens=required"]
    first, second = cloud.launch(*options, image=outcome["image_id"], count=2)
    try:
        with mounted_image(cloud, outcome["image_id"]) as files:
            yield Application(files, outcome, (first, second))
    finally:
        cloud.terminate(first, second)


def test_image_is_published_after_every_spec_has_looked_at_its_copy(cloud: Cloud, application: Application) -> None:
    shown = json.loads(cloud.goldfleet("images", "show", "app", "--json").stdout)
    assert shown["image_id"] == application.outcome["image_id"]
    assert shown["facts"]["checks"]["failed"] == 0
    assert shown["facts"]["checks"]["passed"] > 250
    assert leftovers(cloud) == NOTHING_LEFT


def test_image_has_the_agent_and_nothing_that_it_wrote_on_the_builder(application: Application) -> None:
    assert (application.files / AGENT[1:]).is_file()
    left = [path for folder in KEPT_BY_AGENTS for path in (application.files / folder).rglob("*") if path.is_file()]
    assert [path for path in left if path.stat().st_size] == []


def test_image_has_no_setting_that_servers_resolve(application: Application) -> None:
    found = [
        path
        for folder in ("etc", "home", "opt", "root", "run", "srv", "usr/local", "var")
        for path in (application.files / folder).rglob("*")
        if path.is_file() and not path.is_symlink() and PASSWORD.encode() in path.read_bytes()
    ]
    assert found == []


def test_manifest_names_the_roles_and_the_agent(application: Application) -> None:
    manifest = json.loads((application.files / "usr/share/goldfleet/manifest.json").read_text())
    roles = {"base", "app_settings", "database_client", "cache_client", "shared_storage", "web_stack"}
    assert roles | {"codedeploy_agent", "golden_seal"} == set(manifest["roles"])
    assert manifest["packages"]["codedeploy-agent"] == VERSIONS[1]


def test_servers_are_in_service_with_both_backends_and_an_agent_each(cloud: Cloud, application: Application) -> None:
    for server in application.servers:
        wait_in_service(cloud, server)
        assert {one["tls"] for one in wait_up(cloud, server).values()} == {"TLSv1.3"}
        assert status(cloud, server)["holds"] == {}
        wait_for_agent(cloud, server)
        deployed = "find /opt/codedeploy-agent/deployment-root -mindepth 1 -type f"
        assert says(cloud, server, deployed) == ""


def test_servers_share_no_identity(cloud: Cloud, application: Application) -> None:
    first, second = (says(cloud, server, IDENTITY).splitlines() for server in application.servers)
    assert len(first) == len(second) == 3
    assert set(first) & set(second) == set()
