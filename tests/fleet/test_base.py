"""Promises of role base: accounts, SSH, logging and security upgrades."""

from __future__ import annotations

from typing import Any

import pytest

APT_TIMERS = ("apt-daily.timer", "apt-daily-upgrade.timer")
UNTOUCHED_FOLDERS = {
    "/etc": "755 root root",
    "/etc/apt/apt.conf.d": "755 root root",
    "/etc/ssh": "755 root root",
    "/etc/ssh/sshd_config.d": "755 root root",
    "/etc/systemd": "755 root root",
    "/usr": "755 root root",
    "/var": "755 root root",
}


@pytest.fixture(scope="module")
def account(host: Any, variables: dict[str, Any]) -> dict[str, str]:
    """The deploy user's account, with its group by name and its password field."""
    user = variables["base_deploy_user"]
    passwd = host.check_output("getent passwd %s", user).split(":")
    group, shadow = host.check_output("id -gn %s && getent shadow %s", user, user).splitlines()
    return {"home": passwd[5], "shell": passwd[6], "group": group, "password": shadow.split(":")[1]}


@pytest.fixture(scope="module")
def sshd_settings(host: Any) -> dict[str, str]:
    """What sshd makes of its whole configuration."""
    lines = host.check_output("/usr/sbin/sshd -T").splitlines()
    return dict(line.split(" ", 1) for line in lines if " " in line)


@pytest.fixture(scope="module")
def apt_settings(host: Any) -> list[str]:
    """What apt makes of its whole configuration, one setting a line."""
    return list(host.check_output("apt-config dump").splitlines())


@pytest.fixture(scope="module")
def folder_rights(host: Any) -> dict[str, str]:
    """Mode, owner and group of folders that belong to the system."""
    lines = host.check_output(f"stat --format='%n %a %U %G' {' '.join(UNTOUCHED_FOLDERS)}").splitlines()
    return dict(line.split(" ", 1) for line in lines)


def test_package_is_installed(base_package: str, installed_packages: set[str]) -> None:
    """Each listed package is there."""
    assert base_package in installed_packages


@pytest.mark.parametrize("fact", ["group", "home", "shell"])
def test_deploy_user_is_as_wanted(fact: str, account: dict[str, str], variables: dict[str, Any]) -> None:
    """The deploy user has the wanted group, home and shell."""
    assert account[fact] == variables[f"base_deploy_{fact}"]


def test_deploy_user_has_no_password(account: dict[str, str]) -> None:
    """No password opens the deploy user's account."""
    assert account["password"].startswith(("!", "*"))


def test_keys_of_the_image_are_the_listed_ones(host: Any, variables: dict[str, Any]) -> None:
    """Exactly the listed people have a key that the image brings along, and no other key."""
    lines = host.run("grep -r '^ssh-' /etc/ssh/authorized_keys.d").stdout.splitlines()
    wanted = {(user["name"], key) for user in variables["base_admin_users"] for key in user["authorized_keys"]}
    wanted |= {(variables["base_deploy_user"], key) for key in variables["base_deploy_authorized_keys"]}
    assert {(path.rsplit("/", 1)[1], key) for path, key in (line.split(":", 1) for line in lines)} == wanted


def test_sudo_belongs_to_the_listed_administrators(host: Any, variables: dict[str, Any]) -> None:
    """Exactly the listed administrators get sudo by goldfleet's file."""
    rules = host.run("grep -v '^#' /etc/sudoers.d/goldfleet-admins").stdout.splitlines()
    assert rules == [f"{user['name']} ALL=(ALL:ALL) NOPASSWD: ALL" for user in variables["base_admin_users"]]


@pytest.mark.parametrize("setting", ["passwordauthentication", "kbdinteractiveauthentication"])
def test_sshd_takes_passwords_only_if_wanted(
    setting: str, sshd_settings: dict[str, str], variables: dict[str, Any]
) -> None:
    """Neither of sshd's two ways to ask for a password is open unless wanted."""
    assert sshd_settings[setting] == ("yes" if variables["base_sshd_password_authentication"] else "no")


def test_sshd_takes_keys(sshd_settings: dict[str, str]) -> None:
    """The right key still gets in."""
    assert sshd_settings["pubkeyauthentication"] == "yes"


def test_sshd_refuses_empty_passwords(sshd_settings: dict[str, str]) -> None:
    """An account without a password is not open to everyone."""
    assert sshd_settings["permitemptypasswords"] == "no"


def test_sshd_treats_root_as_wanted(sshd_settings: dict[str, str], variables: dict[str, Any]) -> None:
    """Root logs in only the wanted way; sshd calls prohibit-password by its old name."""
    seen = sshd_settings["permitrootlogin"].replace("without-password", "prohibit-password")
    assert seen == variables["base_sshd_permit_root_login"]


def test_sshd_reads_keys_of_the_launch_and_of_the_image(sshd_settings: dict[str, str]) -> None:
    """Keys come from the home folder and from the folder that root owns."""
    assert sshd_settings["authorizedkeysfile"] == ".ssh/authorized_keys /etc/ssh/authorized_keys.d/%u"


def test_sshd_is_running_and_starts_at_boot(units: dict[str, tuple[str, str]]) -> None:
    """The way in stays open."""
    assert units["ssh.service"] == ("active", "enabled")


@pytest.mark.parametrize("setting", ["Storage=persistent", "SystemMaxUse={base_journal_max_use}"])
def test_journald_is_set(setting: str, host: Any, variables: dict[str, Any]) -> None:
    """The journal survives a reboot and keeps its limit; the last word in journald's files counts."""
    wanted = setting.format(**variables)
    lines = host.check_output("systemd-analyze cat-config systemd/journald.conf").splitlines()
    assert [line for line in lines if line.startswith(wanted.split("=")[0] + "=")][-1] == wanted


def test_journal_is_on_disk(host: Any) -> None:
    """Journald writes where a reboot does not erase it."""
    assert host.check_output("journalctl --directory=/var/log/journal --lines=1 --quiet") != ""


@pytest.mark.parametrize("setting", ["Update-Package-Lists", "Unattended-Upgrade"])
def test_security_upgrades_are_switched_as_wanted(
    setting: str, apt_settings: list[str], variables: dict[str, Any]
) -> None:
    """Both halves of an unattended upgrade are on or off together."""
    wanted = int(variables["base_unattended_upgrades_enabled"])
    assert f'APT::Periodic::{setting} "{wanted}";' in apt_settings


def test_only_security_upgrades_install_themselves(apt_settings: list[str]) -> None:
    """Every pattern that unattended-upgrades may install from names a security archive."""
    patterns = [line for line in apt_settings if line.startswith("Unattended-Upgrade::Origins-Pattern::")]
    others = [line for line in apt_settings if line.startswith("Unattended-Upgrade::Allowed-Origins::")]
    assert ([line for line in patterns if "-security" not in line], others, len(patterns)) == ([], [], 2)


def test_server_reboots_itself_only_if_wanted(apt_settings: list[str], variables: dict[str, Any]) -> None:
    """An upgrade does not take a server out of service by itself unless wanted."""
    wanted = str(variables["base_unattended_upgrades_reboot"]).lower()
    assert f'Unattended-Upgrade::Automatic-Reboot "{wanted}";' in apt_settings


@pytest.mark.parametrize("option", ["--force-confdef", "--force-confold"])
def test_upgrades_keep_the_roles_configuration(option: str, apt_settings: list[str]) -> None:
    """A package's new version does not replace a file that a role owns."""
    assert f'DPkg::Options:: "{option}";' in apt_settings


@pytest.mark.parametrize("timer", APT_TIMERS)
def test_upgrade_timer_is_enabled_as_wanted(
    timer: str, units: dict[str, tuple[str, str]], variables: dict[str, Any]
) -> None:
    """Upgrades start at boot exactly if wanted."""
    assert units[timer][1] == ("enabled" if variables["base_unattended_upgrades_enabled"] else "disabled")


@pytest.mark.parametrize("timer", APT_TIMERS)
def test_upgrade_timer_runs_as_wanted(timer: str, units: dict[str, tuple[str, str]], variables: dict[str, Any]) -> None:
    """Upgrades are held now exactly if wanted."""
    wanted = variables["base_unattended_upgrades_enabled"] and variables["base_unattended_upgrades_running"]
    assert units[timer][0] == ("active" if wanted else "inactive")


@pytest.mark.parametrize("folder", UNTOUCHED_FOLDERS)
def test_system_folder_is_untouched(folder: str, folder_rights: dict[str, str]) -> None:
    """No side effect: the system's own folders keep their owner and mode."""
    assert folder_rights[folder] == UNTOUCHED_FOLDERS[folder]
