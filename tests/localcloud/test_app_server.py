"""An application server with MariaDB, Redis, Parameter Store and Secrets Manager, each broken once, and mended."""

import json
import shlex
import subprocess
from dataclasses import dataclass
from typing import Any

import pytest

from tests.functional.roles.tls_servers import Authority
from tests.localcloud.conftest import ROOT, Cloud, wait_for
from tests.localcloud.shop import (
    PASSWORD,
    Shop,
    authorities,
    backends,
    health,
    open_shop,
    put,
    status,
    wait_in_service,
    wait_up,
)

MOTTO = 'quotes " and \\ and $HOME and `id`\nand a second line'


@dataclass(frozen=True)
class Site:
    """The application server, and what it uses."""

    server: str
    shop: Shop


def configure(cloud: Cloud, site: Site, **changes: Any) -> str:
    """Run the roles on the server, which fetches its file of authorities itself, and return what was printed."""
    done = run(cloud, site, **changes)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    return done.stdout


def run(cloud: Cloud, site: Site, *options: str, **changes: Any) -> subprocess.CompletedProcess[str]:
    """Run the roles on the server, however that ends."""
    settings = {"app_settings_retry_seconds": 2, "app_settings_connectivity_interval_seconds": 5}
    return cloud.play(
        site.server, ROOT / "playbooks/app_server.yml", site.shop.variables | settings | changes, *options
    )


@pytest.fixture(scope="module")
def site(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """An application server in service, its settings in Parameter Store and Secrets Manager."""
    shop = open_shop(cloud, Authority(tmp_path_factory.mktemp("authority")))
    for number in range(12):  # more than a page
        put(cloud, f"page/{number}", str(number), "String")
    put(cloud, "motto", MOTTO)
    (server,) = cloud.launch("--iam-instance-profile", "Name=shop", "--metadata-options", "HttpTokens=required")
    cloud.wait_state(server, "running")
    site = Site(server, shop)
    # A preview of a bare server announces everything, and rests on nothing of it.
    preview = run(cloud, site, "--check")
    assert preview.returncode == 0, preview.stdout[-4000:] + preview.stderr
    configure(cloud, site)
    return site


def reasons(cloud: Cloud, server: str) -> list[str]:
    """Return the lines in which goldfleet-settings said why there are no settings."""
    lines = cloud.ssh(server, "sudo journalctl --unit goldfleet-settings --output cat").stdout.splitlines()
    return [line for line in lines if line.startswith("settings are not resolved")]


def test_status_shows_both_backends_up_with_tls(cloud: Cloud, site: Site) -> None:
    wait_in_service(cloud, site.server)
    seen = wait_up(cloud, site.server)
    assert {name: (one["engine"], one["tls"]) for name, one in seen.items()} == {
        "database/main": ("mysql", "TLSv1.3"), "cache/sessions": ("redis", "TLSv1.3"),
    }  # fmt: skip
    assert {one["certificate_days"] for one in seen.values()} == {90}
    assert status(cloud, site.server)["holds"] == {}


def test_operator_sees_the_steps_of_each_backend(cloud: Cloud, site: Site) -> None:
    wait_up(cloud, site.server)
    seen = json.loads(cloud.ssh(site.server, "sudo goldfleet-connectivity --json").stdout)
    assert seen["up"] is True
    for one in seen["backends"]:
        assert list(one["milliseconds"]) == ["name", "tcp", "tls", "login", "statement"]
    assert (
        cloud.ssh(site.server, "/usr/local/sbin/goldfleet-connectivity", check=False).returncode == 3
    )  # no root, not in the group


def test_settings_come_from_all_pages_and_the_secret(cloud: Cloud, site: Site) -> None:
    names = cloud.ssh(site.server, "sudo goldfleet-settings --check").stdout.split()
    assert {f"page/{number}" for number in range(12)} < set(names)
    assert {f"database/main/{key}" for key in ("host", "username", "password", "dbname", "port")} < set(names)


def test_settings_reach_a_unit_as_they_are(cloud: Cloud, site: Site) -> None:
    command = "sudo systemd-run --quiet --pipe --property=EnvironmentFile=/run/goldfleet/settings.env printenv MOTTO"
    assert cloud.ssh(site.server, command).stdout == f"{MOTTO}\n"


def test_no_secret_is_on_the_servers_disk_or_at_status(cloud: Cloud, site: Site) -> None:
    wait_up(cloud, site.server)
    search = f"sudo grep --recursive --files-with-matches --fixed-strings --one-file-system {PASSWORD}"
    folders = "/etc /home /opt /root /srv /usr/local /var"
    assert cloud.ssh(site.server, f"{search} {folders}", check=False).stdout == ""
    assert PASSWORD not in json.dumps(status(cloud, site.server))
    rights = cloud.ssh(
        site.server, "stat --format='%U %G %a' /run/goldfleet/settings.json /run/goldfleet/settings.env"
    ).stdout
    assert rights == "root www-data 640\n" * 2


def test_second_run_changes_nothing(cloud: Cloud, site: Site) -> None:
    assert "changed=0 " in configure(cloud, site)


@pytest.mark.parametrize(
    ("variable", "kind"),
    [("web_stack_owner", "account"), ("web_stack_group", "group"), ("app_settings_group", "group")],
)
def test_account_that_nobody_makes_is_refused_before_the_first_change(
    cloud: Cloud, site: Site, variable: str, kind: str
) -> None:
    done = run(cloud, site, **{variable: "nobody-makes-it", "base_journal_max_use": "123M"})
    said = " ".join(done.stdout.split())
    assert done.returncode != 0
    assert f"{variable} is 'nobody-makes-it', but" in said, done.stdout[-3000:]
    assert f"has no such {kind}, and role base makes deploy only" in said
    assert "changed=0 " in said


def test_files_of_authorities_belong_to_root_and_may_be_read(cloud: Cloud, site: Site) -> None:
    folder = "/usr/local/share/goldfleet/ca"
    shown = cloud.ssh(site.server, f"stat --format='%a %U %G' {folder}/database-own.pem {folder}/cache-own.pem").stdout
    assert shown.splitlines() == ["644 root root"] * 2


def test_file_of_authorities_that_is_another_one_is_refused_and_the_old_one_stays(cloud: Cloud, site: Site) -> None:
    look = "sha256sum /usr/local/share/goldfleet/ca/database-own.pem /usr/local/share/goldfleet/ca/cache-own.pem"
    before = cloud.ssh(site.server, look).stdout
    done = run(cloud, site, **authorities(site.shop.address, "0" * 64))
    assert done.returncode != 0
    assert "The checksum for" in done.stdout, done.stdout[-3000:]
    assert cloud.ssh(site.server, look).stdout == before


def test_stopped_database_is_told_and_does_not_take_the_server_out_of_service(cloud: Cloud, site: Site) -> None:
    wait_up(cloud, site.server)
    cloud.ssh(site.shop.database, "sudo systemctl stop mariadb")
    try:
        seen = wait_for("database down", lambda: [
            one for one in backends(cloud, site.server).values() if not one["up"]
        ])  # fmt: skip
        assert [(one["name"], one["failed_stage"]) for one in seen] == [("main", "tcp")]
        assert seen[0]["message"] == "connection refused: does the server run, and on this port?"
        assert health(cloud, site.server) == "200"
    finally:
        cloud.ssh(site.shop.database, "sudo systemctl start mariadb")
    wait_up(cloud, site.server)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ("staging", "role shop may not do ssm:GetParametersByPath on /goldfleet/staging/shop."),
        ("No Name", "/etc/goldfleet/environment does not hold the name of an environment"),
    ],
)
def test_environment_without_settings_takes_the_server_out_of_service_and_says_why(
    environment: str, said: str, cloud: Cloud, site: Site
) -> None:
    cloud.ssh(site.server, f"echo {shlex.quote(environment)} | sudo tee /etc/goldfleet/environment")
    try:
        cloud.ssh(site.server, "sudo systemctl restart goldfleet-settings")
        wait_for("out of service", lambda: health(cloud, site.server) == "503")
        wait_for("the reason", lambda: said in status(cloud, site.server)["holds"].get("settings", ""))
        assert health(cloud, site.server) == "503"
        assert not status(cloud, site.server)["in_service"]
    finally:
        cloud.ssh(site.server, "sudo rm /etc/goldfleet/environment")
    wait_in_service(cloud, site.server)
    assert "settings" not in status(cloud, site.server)["holds"]


def test_server_keeps_its_settings_when_they_cannot_be_read_again(cloud: Cloud, site: Site) -> None:
    wait_in_service(cloud, site.server)
    with cloud.no_way_to_aws(site.server):
        before = len(reasons(cloud, site.server))
        cloud.ssh(site.server, "sudo systemctl restart goldfleet-settings")
        wait_for("the reason", lambda: len(reasons(cloud, site.server)) > before)
        assert "The server keeps the settings that it has" in reasons(cloud, site.server)[-1]
        assert health(cloud, site.server) == "200"
        assert status(cloud, site.server)["holds"] == {}


def test_parameter_store_gone_at_boot_keeps_the_server_out_until_it_is_back(cloud: Cloud, site: Site) -> None:
    with cloud.no_way_to_aws(site.server):
        cloud.aws("ec2", "reboot-instances", "--instance-ids", site.server)
        wait_for("gone", lambda: health(cloud, site.server) != "200")
        reason = "settings are not resolved: Parameter Store does not answer (time-out)."
        wait_for("the reason", lambda: reason in str(look_at_holds(cloud, site.server)), seconds=90)
        assert health(cloud, site.server) == "503"
        # The boot is over: nothing waits but the application.
        wait_for(
            "booted", lambda: "running" in cloud.ssh(site.server, "systemctl is-system-running", check=False).stdout
        )
        assert (
            cloud.ssh(site.server, "systemctl is-active goldfleet-settings.target", check=False).stdout == "inactive\n"
        )
        cloud.ssh(site.server, "sleep 12")  # two attempts more
        assert [line.split(". ")[0] + "." for line in reasons(cloud, site.server)] == [reason]
    wait_in_service(cloud, site.server)
    assert wait_up(cloud, site.server)["database/main"]["tls"] == "TLSv1.3"
    assert cloud.ssh(site.server, "systemctl is-active goldfleet-settings.target").stdout == "active\n"
    assert len(reasons(cloud, site.server)) == 1


def look_at_holds(cloud: Cloud, server: str) -> dict[str, str]:
    """Return the holds, empty while the server does not answer."""
    url = f"http://{cloud.instance(server)['PrivateIpAddress']}/status"
    answer = cloud.run("curl", "-sf", "--max-time", "2", url, check=False).stdout
    return dict(json.loads(answer)["holds"]) if answer else {}


def test_checks_come_at_another_interval_once_that_is_configured(cloud: Cloud, site: Site) -> None:
    configure(cloud, site, app_settings_connectivity_interval_seconds=7)
    show = "systemctl show --property=TimersMonotonic,ActiveState goldfleet-connectivity.timer"
    timer = cloud.ssh(site.server, show).stdout
    assert "OnUnitInactiveUSec=7s" in timer
    assert "ActiveState=active" in timer


def test_server_that_is_to_resolve_nothing_forgets_its_settings_and_is_in_service(cloud: Cloud, site: Site) -> None:
    configure(
        cloud, site,
        app_settings_parameter_store=False, app_settings_secrets=[], app_settings_required=[],
    )  # fmt: skip
    wait_for(
        "forgotten",
        lambda: PASSWORD not in cloud.ssh(site.server, "sudo cat /run/goldfleet/settings.*", check=False).stdout,
    )
    wait_in_service(cloud, site.server)
    cloud.aws("ec2", "reboot-instances", "--instance-ids", site.server)
    wait_for("gone", lambda: health(cloud, site.server) != "200")
    wait_in_service(cloud, site.server)
    assert look_at_holds(cloud, site.server) == {}
