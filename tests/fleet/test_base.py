"""Promises of role base: accounts, SSH, time, language, logging, kernel settings, security upgrades and identity."""

from __future__ import annotations

import re
from typing import Any

import pytest

APT_TIMERS = ("apt-daily.timer", "apt-daily-upgrade.timer")
UNTOUCHED_FOLDERS = {
    "/etc": "755 root root",
    "/etc/apt/apt.conf.d": "755 root root",
    "/etc/modprobe.d": "755 root root",
    "/etc/ssh": "755 root root",
    "/etc/ssh/sshd_config.d": "755 root root",
    "/etc/sudoers.d": "750 root root",
    "/etc/sysctl.d": "755 root root",
    "/etc/systemd": "755 root root",
    "/usr": "755 root root",
    "/var": "755 root root",
}
SSHD_HARDENING = {
    "logingracetime": ("60", "base_harden_sshd_logins"),
    "maxauthtries": ("4", "base_harden_sshd_logins"),
    "maxstartups": ("10:30:60", "base_harden_sshd_logins"),
    "clientaliveinterval": ("60", "base_harden_sshd_logins"),
    "clientalivecountmax": ("3", "base_harden_sshd_logins"),
    "disableforwarding": ("yes", "base_harden_sshd_forwarding"),
}
"""What sshd must say of a setting, and the variable that switches it off."""
WEAK_ALGORITHM = re.compile(r"cbc|arcfour|md5|sha1(?!\d)|umac-64")
KERNEL_HARDENING = {
    "net.ipv4.conf.all.send_redirects": ("0", "base_harden_network"),
    "net.ipv4.conf.default.send_redirects": ("0", "base_harden_network"),
    "net.ipv4.icmp_ignore_bogus_error_responses": ("1", "base_harden_network"),
    "net.ipv4.icmp_echo_ignore_broadcasts": ("1", "base_harden_network"),
    "net.ipv4.conf.all.accept_redirects": ("0", "base_harden_network"),
    "net.ipv4.conf.default.accept_redirects": ("0", "base_harden_network"),
    "net.ipv6.conf.all.accept_redirects": ("0", "base_harden_network"),
    "net.ipv6.conf.default.accept_redirects": ("0", "base_harden_network"),
    "net.ipv4.conf.all.secure_redirects": ("0", "base_harden_network"),
    "net.ipv4.conf.default.secure_redirects": ("0", "base_harden_network"),
    "net.ipv4.conf.all.rp_filter": ("1", "base_harden_network"),
    "net.ipv4.conf.default.rp_filter": ("1", "base_harden_network"),
    "net.ipv4.conf.all.accept_source_route": ("0", "base_harden_network"),
    "net.ipv4.conf.default.accept_source_route": ("0", "base_harden_network"),
    "net.ipv6.conf.all.accept_source_route": ("0", "base_harden_network"),
    "net.ipv6.conf.default.accept_source_route": ("0", "base_harden_network"),
    "net.ipv4.tcp_syncookies": ("1", "base_harden_network"),
    "kernel.randomize_va_space": ("2", "base_harden_kernel"),
    "kernel.yama.ptrace_scope": ("1", "base_harden_kernel"),
    "kernel.dmesg_restrict": ("1", "base_harden_kernel"),
    "kernel.kptr_restrict": ("1", "base_harden_kernel"),
    "fs.suid_dumpable": ("0", "base_harden_core_dumps"),
    "kernel.core_pattern": ("|/bin/false", "base_harden_core_dumps"),
}
"""The value of a kernel parameter, and the variable that switches it off."""
CRON_RIGHTS = {
    "/etc/crontab": "600 root root",
    "/etc/cron.hourly": "700 root root",
    "/etc/cron.daily": "700 root root",
    "/etc/cron.weekly": "700 root root",
    "/etc/cron.monthly": "700 root root",
    "/etc/cron.d": "700 root root",
}
OWN_FILES = {
    "/etc/tmpfiles.d/goldfleet.conf": "644 root root",
    "/etc/apt/apt.conf.d/52goldfleet": "644 root root",
    "/etc/systemd/system/apt-.timer.d/10-goldfleet.conf": "644 root root",
    "/etc/sudoers.d/goldfleet": "440 root root",
    "/etc/ssh/sshd_config.d/10-goldfleet.conf": "600 root root",
    "/etc/systemd/journald.conf.d/10-goldfleet.conf": "644 root root",
    "/etc/chrony/sources.d/goldfleet.sources": "644 root root",
    "/etc/sysctl.d/60-goldfleet.conf": "644 root root",
    "/etc/modprobe.d/goldfleet.conf": "644 root root",
    "/etc/cloud/cloud.cfg.d/95-goldfleet.cfg": "644 root root",
    "/etc/ssh/authorized_keys.d": "755 root root",
}
SHARED_FOLDERS = (
    "/etc/goldfleet/backends.d",
    "/run/goldfleet/hold",
    "/run/goldfleet/status.d",
    "/run/goldfleet/www",
)
READERS = {
    "ssh.service": ("/etc/ssh/sshd_config.d/10-goldfleet.conf", "StateChangeTimestamp"),
    "systemd-journald.service": ("/etc/systemd/journald.conf.d/10-goldfleet.conf", "ConditionTimestamp"),
    "systemd-sysctl.service": ("/etc/sysctl.d/60-goldfleet.conf", "ConditionTimestamp"),
}
"""Who reads a file only when it starts or reloads, and which of systemd's times is the moment of that."""
OTHER_TIME_DAEMONS = {"ntp", "ntpsec", "openntpd", "systemd-timesyncd"}
IDENTITY = {
    "preserve_hostname": "false",
    "ssh_deletekeys": "true",
    "locale": "false",
    "package_update": "false",
    "package_upgrade": "false",
}
"""What cloud-init does at a launch: a new identity, and nothing that the image has decided."""
MINUTES = {"min": 1, "h": 60, "d": 1440}


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
def rights(host: Any) -> dict[str, str]:
    """Mode, owner and group of the role's files and of folders that belong to the system; only what is there."""
    paths = " ".join([*UNTOUCHED_FOLDERS, *CRON_RIGHTS, *OWN_FILES, *SHARED_FOLDERS])
    lines = host.run(f"stat --format='%n %a %U %G' {paths}").stdout.splitlines()
    return dict(line.split(" ", 1) for line in lines)


@pytest.fixture(scope="module")
def own_sshd_settings(host: Any) -> dict[str, str]:
    """What goldfleet's file asks of sshd."""
    lines = host.check_output("grep -v '^#' /etc/ssh/sshd_config.d/10-goldfleet.conf").splitlines()
    return {line.split(" ", 1)[0].lower(): line.split(" ", 1)[1] for line in lines}


@pytest.fixture(scope="module")
def own_sysctl(host: Any) -> dict[str, str]:
    """The kernel parameters that goldfleet's file sets."""
    return parse_sysctl(host.check_output("cat /etc/sysctl.d/60-goldfleet.conf"))


@pytest.fixture(scope="module")
def journald_settings(host: Any) -> list[str]:
    """Every line of journald's files, in the order in which they count."""
    return list(host.check_output("systemd-analyze cat-config systemd/journald.conf").splitlines())


@pytest.fixture(scope="module")
def timers(host: Any) -> dict[str, dict[str, str]]:
    """When the upgrade timers elapse, as systemd has loaded them."""
    wanted = "--property=Id,TimersCalendar,TimersMonotonic"
    blocks = host.check_output(f"systemctl show {wanted} {' '.join(APT_TIMERS)}").split("\n\n")
    found = [[line.split("=", 1) for line in block.splitlines()] for block in blocks]
    return {
        dict(lines)["Id"]: {"calendar": "".join(value for name, value in lines if name == "TimersCalendar"),
                            "monotonic": " ".join(value for name, value in lines if name == "TimersMonotonic")}
        for lines in found
    }  # fmt: skip


@pytest.fixture(scope="module")
def chrony(host: Any) -> dict[str, str]:
    """The state of chrony's unit; a unit that was skipped may not be among the loaded ones."""
    shown = host.check_output("systemctl show --property=ActiveState,ConditionResult,UnitFileState chrony.service")
    return dict(line.split("=", 1) for line in shown.splitlines())


@pytest.fixture(scope="module")
def last_read(host: Any) -> dict[str, int]:
    """When each reader last read its file, in seconds since 1970."""
    shown = f"systemctl show --timestamp=unix --property=Id,StateChangeTimestamp,ConditionTimestamp {' '.join(READERS)}"
    blocks = host.check_output(shown).split("\n\n")
    found = [dict(line.split("=", 1) for line in block.splitlines()) for block in blocks]
    return {unit["Id"]: int(unit[READERS[unit["Id"]][1]].lstrip("@") or 0) for unit in found}


@pytest.fixture(scope="module")
def last_written(host: Any) -> dict[str, int]:
    """When each reader's file was last written, in seconds since 1970."""
    files = " ".join(file for file, _ in READERS.values())
    lines = host.check_output(f"stat --format='%n %Y' {files}").splitlines()
    return {path: int(moment) for path, moment in (line.split() for line in lines)}


@pytest.fixture(scope="module")
def login(host: Any, variables: dict[str, Any]) -> list[str]:
    """What a login of the deploy user sees of the language: LANG, and the characters that programs use."""
    shown = "printf '%s\\n' \"$LANG\"; locale charmap"
    return list(host.check_output("su --login %s --command %s", variables["base_deploy_user"], shown).splitlines())


@pytest.fixture(scope="module")
def cloud_init_settings(host: Any) -> dict[str, str]:
    """What cloud-init reads of the settings named here; the last file that has one counts."""
    names = "|".join(IDENTITY)
    files = "/etc/cloud/cloud.cfg /etc/cloud/cloud.cfg.d/*.cfg"
    lines = host.check_output(f"grep --no-messages --no-filename -E '^({names}):' {files} || true").splitlines()
    return {name: value.strip() for name, value in (line.split(":", 1) for line in lines)}


def parse_sysctl(text: str) -> dict[str, str]:
    """Return names and values of a sysctl.d file, or of several one after the other."""
    lines = [line for line in text.splitlines() if "=" in line and not line.startswith(("#", ";"))]
    pairs = (line.split("=", 1) for line in lines)
    return {name.strip().lstrip("-"): value.strip() for name, value in pairs}


def wanted_sysctl(variables: dict[str, Any]) -> dict[str, str]:
    """Return the kernel parameters that the server should have; what the user sets wins."""
    hardening = {name: value for name, (value, switch) in KERNEL_HARDENING.items() if variables[switch]}
    return hardening | {name: str(value) for name, value in variables["base_sysctl"].items()}


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


def test_administrators_have_an_account_without_a_password(host: Any, variables: dict[str, Any]) -> None:
    """Each listed administrator may log in, with a shell and with a key only."""
    names = [user["name"] for user in variables["base_admin_users"]]
    shells = [host.run("getent passwd %s", name).stdout.strip().split(":")[-1] for name in names]
    locked = [host.run("getent shadow %s", name).stdout.split(":")[1:2] for name in names]
    assert (shells, [field for field in locked if field not in (["!"], ["*"])]) == (["/bin/bash"] * len(names), [])


def test_keys_of_the_image_are_the_listed_ones(host: Any, variables: dict[str, Any]) -> None:
    """Exactly the listed people have a key that the image brings along, and no other key."""
    lines = host.run("grep -r '^ssh-' /etc/ssh/authorized_keys.d").stdout.splitlines()
    wanted = {(user["name"], key) for user in variables["base_admin_users"] for key in user["authorized_keys"]}
    wanted |= {(variables["base_deploy_user"], key) for key in variables["base_deploy_authorized_keys"]}
    assert {(path.rsplit("/", 1)[1], key) for path, key in (line.split(":", 1) for line in lines)} == wanted


def test_keys_of_the_image_are_roots(host: Any) -> None:
    """Whoever could write there could log in as that user; sshd, which reads them as the user, must be able to."""
    lines = host.check_output("find /etc/ssh/authorized_keys.d -type f -printf '%m %u %g\\n'").splitlines()
    assert set(lines) <= {"644 root root"}


def test_sudo_belongs_to_the_listed_people(host: Any, variables: dict[str, Any]) -> None:
    """Administrators may do everything, the deploy user the listed commands, and nobody else anything by goldfleet's file."""
    lines = host.run("grep -v '^#' /etc/sudoers.d/goldfleet").stdout.splitlines()
    wanted = {user["name"] for user in variables["base_admin_users"]}
    wanted |= {variables["base_deploy_user"]} if variables["base_deploy_sudo_commands"] else set()
    assert {line.split()[0] for line in lines} - {"Defaults"} == wanted


def test_administrators_may_do_everything(host: Any, variables: dict[str, Any]) -> None:
    """Each listed administrator may run any command as root, without a password."""
    lines = host.run("cat /etc/sudoers.d/goldfleet").stdout.splitlines()
    wanted = {f"{user['name']} ALL=(ALL:ALL) NOPASSWD: ALL" for user in variables["base_admin_users"]}
    assert {line for line in lines if line.endswith(" ALL")} == wanted


def test_deploy_user_may_run_the_listed_commands(host: Any, variables: dict[str, Any]) -> None:
    """Sudo itself, asked, allows each listed command."""
    ask = f"sudo --list --other-user={variables['base_deploy_user']}"
    commands = variables["base_deploy_sudo_commands"]
    assert [command for command in commands if host.run(f"{ask} {command}").rc != 0] == []


def test_deploy_user_may_run_nothing_else(host: Any, variables: dict[str, Any]) -> None:
    """Neither a shell nor a listed command with one more argument."""
    ask = f"sudo --list --other-user={variables['base_deploy_user']}"
    others = ["/bin/sh", *(f"{command} more" for command in variables["base_deploy_sudo_commands"])]
    assert [command for command in others if host.run(f"{ask} {command}").rc == 0] == []


def test_sudo_gives_a_terminal_of_its_own_if_wanted(host: Any, variables: dict[str, Any]) -> None:
    """CIS 5.2.2: what sudo runs cannot type into the caller's terminal."""
    seen = "Defaults use_pty" in host.check_output("cat /etc/sudoers.d/goldfleet").splitlines()
    assert seen == variables["base_harden_sudo"]


def test_sudo_accepts_all_its_files(host: Any) -> None:
    """Sudo would refuse to work for everybody otherwise."""
    assert host.run("visudo --check --quiet").rc == 0


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


@pytest.mark.parametrize("setting", SSHD_HARDENING)
def test_sshd_is_hardened_if_wanted(
    setting: str, sshd_settings: dict[str, str], own_sshd_settings: dict[str, str], variables: dict[str, Any]
) -> None:
    """Each setting has its value, or is left to sshd where it is switched off."""
    value, switch = SSHD_HARDENING[setting]
    seen = sshd_settings[setting] if variables[switch] else own_sshd_settings.get(setting, "left to sshd")
    assert seen == (value if variables[switch] else "left to sshd")


@pytest.mark.parametrize("setting", ["ciphers", "macs", "kexalgorithms"])
def test_sshd_offers_no_weak_algorithm_if_wanted(
    setting: str, sshd_settings: dict[str, str], own_sshd_settings: dict[str, str], variables: dict[str, Any]
) -> None:
    """CIS 5.1.6, 5.1.12, 5.1.15: only strong ones are left, or all that sshd knows where it is switched off."""
    weak = [name for name in sshd_settings[setting].split(",") if WEAK_ALGORITHM.search(name)]
    hardened = variables["base_harden_sshd_algorithms"]
    assert (weak if hardened else [], setting in own_sshd_settings) == ([], hardened)


def test_sshd_is_running_and_starts_at_boot(units: dict[str, tuple[str, str]]) -> None:
    """The way in stays open."""
    assert units["ssh.service"][0] == "active"
    assert "enabled" in (units["ssh.service"][1], units["ssh.socket"][1])  # Ubuntu 24.04 starts it by its socket


@pytest.mark.parametrize(
    "setting",
    [
        "Storage=persistent",
        "SystemMaxUse={base_journal_max_use}",
        "RuntimeMaxUse={base_journal_runtime_max_use}",
        "MaxRetentionSec={base_journal_max_retention}",
        "RateLimitIntervalSec=30s",
        "RateLimitBurst={base_journal_rate_limit_burst}",
    ],
)
def test_journald_is_set(setting: str, journald_settings: list[str], variables: dict[str, Any]) -> None:
    """The journal survives a reboot and keeps its limits; the last word in journald's files counts."""
    wanted = setting.format(**variables)
    assert [line for line in journald_settings if line.startswith(wanted.split("=")[0] + "=")][-1] == wanted


def test_journal_is_on_disk(host: Any) -> None:
    """Journald writes where a reboot does not erase it."""
    assert host.check_output("journalctl --directory=/var/log/journal --lines=1 --quiet") != ""


@pytest.mark.parametrize("setting", ["Update-Package-Lists", "Unattended-Upgrade"])
def test_security_upgrades_are_switched_as_wanted(
    setting: str, apt_settings: list[str], variables: dict[str, Any]
) -> None:
    """Both halves of an unattended upgrade are on or off together."""
    wanted = "always" if variables["base_unattended_upgrades_enabled"] else "0"
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


@pytest.mark.parametrize("timer", APT_TIMERS)
def test_upgrade_timer_counts_from_the_boot(
    timer: str, timers: dict[str, dict[str, str]], variables: dict[str, Any]
) -> None:
    """A server that has just booted is left alone: the timer knows no time of day, and waits as long as wanted."""
    (delay,) = re.findall(r"OnActiveUSec=([^;]*?) ;", timers[timer]["monotonic"])
    minutes = sum(int(number) * MINUTES[unit] for number, unit in re.findall(r"(\d+)(min|h|d)", delay))
    assert (timers[timer]["calendar"], minutes) == ("", variables["base_unattended_upgrades_delay_minutes"])


@pytest.mark.parametrize("timer", APT_TIMERS)
def test_upgrade_timer_comes_again(timer: str, timers: dict[str, dict[str, str]]) -> None:
    """A server that runs for long is upgraded every twelve hours."""
    assert "OnUnitActiveUSec=12h" in timers[timer]["monotonic"]


@pytest.mark.parametrize("package", ["chrony", "tzdata"])
def test_package_that_the_role_needs_is_installed(package: str, installed_packages: set[str]) -> None:
    """What the role configures is there whatever base_packages lists."""
    assert package in installed_packages


def test_time_servers_are_the_listed_ones(host: Any, variables: dict[str, Any]) -> None:
    """CIS 2.3.3.1: chrony asks exactly the listed servers by goldfleet's file."""
    lines = host.run("grep -v '^#' /etc/chrony/sources.d/goldfleet.sources").stdout.splitlines()
    wanted = [f"server {item['address']} {item.get('options', 'iburst')}" for item in variables["base_time_servers"]]
    assert lines == wanted


def test_chrony_reads_its_folder_of_time_servers(host: Any) -> None:
    """The distribution's chrony.conf includes the folder."""
    assert host.run("grep -q '^sourcedir /etc/chrony/sources.d$' /etc/chrony/chrony.conf").rc == 0


def test_chrony_starts_at_boot(chrony: dict[str, str]) -> None:
    """CIS 2.3.3.3: time is kept from each boot on."""
    assert chrony["UnitFileState"] == "enabled"


def test_chrony_runs_where_the_clock_may_be_set(chrony: dict[str, str]) -> None:
    """Systemd skips chrony where it may not set the clock, as in a container; everywhere else it runs."""
    seen = (chrony["ConditionResult"], chrony["ActiveState"])
    assert seen in (("yes", "active"), ("no", "inactive"))


def test_nothing_else_sets_the_clock(installed_packages: set[str]) -> None:
    """CIS 2.3.1.1: a single time daemon."""
    assert installed_packages & OTHER_TIME_DAEMONS == set()


def test_time_zone_is_as_wanted(host: Any, variables: dict[str, Any]) -> None:
    """The server's own time zone."""
    assert host.check_output("timedatectl show --property=Timezone --value") == variables["base_time_zone"]


def test_language_is_roots_to_choose(host: Any) -> None:
    """Every login and service reads it."""
    assert host.check_output("stat --format='%a %U %G' /etc/default/locale") == "644 root root"


def test_login_has_the_wanted_language(login: list[str], variables: dict[str, Any]) -> None:
    """LANG of a login, also after a launch, when cloud-init would set its own."""
    assert login[0] == variables["base_locale"]


def test_language_is_there(login: list[str], variables: dict[str, Any]) -> None:
    """Programs find the locale that LANG names; without it they would fall back to ASCII."""
    assert login[1] == ("UTF-8" if variables["base_locale"].endswith("UTF-8") else "ANSI_X3.4-1968")


@pytest.mark.parametrize("setting", IDENTITY)
def test_identity_is_left_to_cloud_init(setting: str, cloud_init_settings: dict[str, str]) -> None:
    """Host name and host keys are new in each launch; language and packages are the image's."""
    assert cloud_init_settings[setting] == IDENTITY[setting]


def test_kernel_parameters_are_the_wanted_ones(own_sysctl: dict[str, str], variables: dict[str, Any]) -> None:
    """Goldfleet's file sets what is wanted and nothing else; hardening that is switched off is not in it."""
    assert own_sysctl == wanted_sysctl(variables)


def test_no_other_file_changes_kernel_parameters_back(host: Any, variables: dict[str, Any]) -> None:
    """Of all files that systemd-sysctl reads, goldfleet's has the last word."""
    effective = parse_sysctl(host.check_output("/usr/lib/systemd/systemd-sysctl --cat-config"))
    wanted = wanted_sysctl(variables)
    assert {name: effective.get(name) for name in wanted} == wanted


def test_kernel_has_the_parameters_where_they_may_be_set(host: Any, variables: dict[str, Any]) -> None:
    """Systemd skips systemd-sysctl where /proc/sys is read-only, as in a container; elsewhere the kernel obeys."""
    wanted = wanted_sysctl(variables)
    files = " ".join(f"/proc/sys/{name.replace('.', '/')}" for name in wanted)
    applied = host.check_output("systemctl show --property=ConditionResult --value systemd-sysctl.service") == "yes"
    lines = host.run(f"grep --no-messages '' /dev/null {files}").stdout.splitlines()
    seen = {
        path.removeprefix("/proc/sys/").replace("/", "."): value
        for path, value in (line.split(":", 1) for line in lines)
    }
    assert not applied or {name: value for name, value in seen.items() if wanted[name] != value} == {}


def test_blocked_kernel_modules_are_the_listed_ones(host: Any, variables: dict[str, Any]) -> None:
    """Each listed module is kept out both ways, by alias and by name, and no other."""
    lines = host.check_output("cat /etc/modprobe.d/goldfleet.conf").splitlines()
    modules = variables["base_blocked_kernel_modules"]
    wanted = {f"blacklist {name}" for name in modules} | {f"install {name} /bin/false" for name in modules}
    assert {line for line in lines if not line.startswith("#")} == wanted


@pytest.mark.parametrize("path", CRON_RIGHTS)
def test_only_root_reads_crons_tables_if_wanted(path: str, rights: dict[str, str], variables: dict[str, Any]) -> None:
    """CIS 2.4.1.2 to 2.4.1.7, for what is there; else the distribution's rights, or those of before it was switched off."""
    distribution = "644 root root" if path == "/etc/crontab" else "755 root root"
    possible = [CRON_RIGHTS[path], *([] if variables["base_harden_cron"] else [distribution])]
    assert rights.get(path, CRON_RIGHTS[path]) in possible


def test_rights_of_crons_tables_are_left_alone_unless_wanted(host: Any, variables: dict[str, Any]) -> None:
    """Switched off, nothing sets them at a boot."""
    asks = host.run("grep --quiet '^[^#]* /etc/cron' /etc/tmpfiles.d/goldfleet.conf").rc == 0
    assert asks == variables["base_harden_cron"]


@pytest.mark.parametrize("path", OWN_FILES)
def test_own_file_has_its_rights(path: str, rights: dict[str, str]) -> None:
    """Nobody but root writes what the role has written."""
    assert rights[path] == OWN_FILES[path]


@pytest.mark.parametrize("unit", READERS)
def test_what_is_written_is_in_force(unit: str, last_read: dict[str, int], last_written: dict[str, int]) -> None:
    """Nobody runs with settings from before the last change."""
    assert last_read[unit] >= last_written[READERS[unit][0]]


@pytest.mark.parametrize("folder", SHARED_FOLDERS)
def test_shared_folder_is_there(folder: str, rights: dict[str, str]) -> None:
    """The folders of docs/server_folders.md, also after a reboot, which empties /run."""
    assert rights[folder] == "755 root root"


@pytest.mark.parametrize("folder", UNTOUCHED_FOLDERS)
def test_system_folder_is_untouched(folder: str, rights: dict[str, str]) -> None:
    """No side effect: the system's own folders keep their owner and mode."""
    assert rights[folder] == UNTOUCHED_FOLDERS[folder]
