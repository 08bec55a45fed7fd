"""Kinds of faults of packages, services, accounts and the system. Pure: they only write shell commands."""

import random

from tests.localcloud.planted.model import Fault, Kind, fault
from tests.localcloud.planted.specs.packages import APP as PACKAGES
from tests.localcloud.planted.specs.services import SERVICES

UNITS = "/etc/systemd/system"
BIN = "/opt/app/bin"


def package_state(chance: random.Random) -> Fault:
    """A package that is removed, purged, held, or unpacked and no more."""
    name = chance.choice(PACKAGES)
    command = chance.choice([
        f"dpkg --remove {name}", f"dpkg --purge {name}", f"echo {name} hold | dpkg --set-selections",
        f"dpkg --unpack /root/{name}-new.deb", f"echo {name} deinstall | dpkg --set-selections",
    ])  # fmt: skip
    return fault(command, f"test_packages::test_is_neither_held_nor_half_configured[{name}]", name)


def package_half_configured(chance: random.Random) -> Fault:
    """A package whose own script has failed."""
    name = chance.choice(PACKAGES)
    deb = chance.choice([f"{name}.deb", f"{name}-new.deb"])
    command = f"touch /root/broken-packages; ! dpkg --install /root/{deb}; rm /root/broken-packages"
    return fault(command, "test_packages::test_dpkg_has_nothing_to_say", name)


def package_version(chance: random.Random) -> Fault:
    """Another version of a package."""
    name = chance.choice(PACKAGES)
    return fault(f"dpkg --install /root/{name}-new.deb", f"test_packages::test_version[{name}]", name)


def package_journal(chance: random.Random) -> Fault:
    """A change of dpkg's that was cut off: it stands beside the status, and counts."""
    name = chance.choice(PACKAGES)
    state = chance.choice(["install ok half-installed", "install reinstreq half-configured", "purge ok unpacked"])
    stanza = f"Package: {name}\\nStatus: {state}\\nVersion: 2.4-1\\nArchitecture: all\\nMaintainer: x <x@y>\\nDescription: x\\n"
    # dpkg itself tidies this up, so no other package may be touched afterwards.
    command = f"printf '{stanza}' > /var/lib/dpkg/updates/0000"
    return fault(command, f"test_packages::test_is_neither_held_nor_half_configured[{name}]", *PACKAGES)


def package_settings(chance: random.Random) -> Fault:
    """A package's own settings, changed or gone."""
    name = chance.choice(PACKAGES)
    path = f"/etc/{name}/{name}.conf"
    command = chance.choice([f"echo off > {path}", f"rm -r /etc/{name}", f"printf on > {path}"])
    return fault(command, f"test_packages::test_settings_of_a_package[{name}]", name)


def service_stopped(chance: random.Random) -> Fault:
    """A service that is stopped."""
    name = chance.choice(SERVICES)
    return fault(f"systemctl stop {name}", _of_service("test_is_running", name), name)


def service_killed(chance: random.Random) -> Fault:
    """A service whose process was killed: its unit has failed."""
    name, signal = chance.choice(SERVICES), chance.choice(["KILL", "SEGV", "ABRT"])
    command = f"systemctl kill --signal={signal} {name}; while systemctl is-active --quiet {name}; do sleep 0.1; done"
    return fault(command, _of_service("test_is_running", name), name)


def service_does_not_start(chance: random.Random) -> Fault:
    """A service whose program is not there or fails."""
    name, program = chance.choice(SERVICES), chance.choice(["/bin/false", "/nowhere/program", "/bin/sh -c 'exit 7'"])
    folder = f"{UNITS}/{name}.service.d"
    lines = f"[Service]\\nExecStart=\\nExecStart={program}\\n"
    written = f'mkdir -p {folder}; printf "{lines}" > {folder}/x.conf; systemctl daemon-reload'
    settled = f"while systemctl is-active --quiet {name}; do sleep 0.1; done"
    return fault(
        f"{written}; systemctl restart {name} || true; {settled}", "test_services::test_no_unit_has_failed", name
    )


def service_disabled(chance: random.Random) -> Fault:
    """A service that does not start at boot, though it runs."""
    name = chance.choice(SERVICES)
    return fault(f"systemctl disable --quiet {name}", _of_service("test_starts_at_boot", name), name)


def service_masked(chance: random.Random) -> Fault:
    """A service that is masked; it runs on, or does not."""
    name, now = chance.choice(SERVICES), chance.choice(["", "--now"])
    unit = f"{UNITS}/{name}.service"
    command = f"mv {unit} /root/; systemctl daemon-reload; systemctl mask --quiet {now} {name}"
    return fault(command, _of_service("test_is_not_masked", name), name, unit)


def timer_stopped(chance: random.Random) -> Fault:
    """A timer that is stopped, or does not start at boot."""
    word = chance.choice(["stop", "disable", "disable --now"])
    return fault(f"systemctl {word} app-tick.timer", "test_services::TestTimer::test_is_active", "app-tick")


def unit_failed(chance: random.Random) -> Fault:
    """A unit that has failed and is nobody's."""
    name = f"planted-{chance.randrange(1000)}"
    command = (
        f"systemd-run --quiet --unit={name} /bin/false; while systemctl is-active --quiet {name}; do sleep 0.1; done"
    )
    wait = f"until systemctl is-failed --quiet {name}; do sleep 0.1; done"
    return fault(f"{command}; {wait}", "test_services::test_no_unit_has_failed", "planted unit")


def other_program_on_the_port(chance: random.Random) -> Fault:
    """A port that is held by a stranger's program."""
    name, port, check = chance.choice([("app-web", 8081, "8081-app"), ("app-metrics", 9100, "9100-daemon")])
    address = chance.choice(["0.0.0.0", "127.0.0.1"])
    command = (
        f"systemctl stop {name}; cp /usr/local/sbin/app-listener /root/stranger; "
        f"systemd-run --quiet /root/stranger tcp:{address}:{port}; {_until_open('tcp', port)}"
    )
    return fault(command, f"test_services::test_port_is_held_by_its_own_program[{check}]", name)


def port_opened(chance: random.Random) -> Fault:
    """A port that is to be closed."""
    kind, port = chance.choice([("tcp", 23), ("udp", 69)])
    command = f"systemd-run --quiet /usr/local/sbin/app-listener {kind}:0.0.0.0:{port}; {_until_open(kind, port)}"
    return fault(command, f"test_services::test_is_not_listening[{kind}://0.0.0.0:{port}]", f"port {port}")


def surroundings(chance: random.Random) -> Fault:
    """Another variable of a service, in place since it started anew."""
    folder = f"{UNITS}/app-web.service.d"
    value = chance.choice(["debug", "", "production2"])
    command = (
        f"mkdir -p {folder}; printf '[Service]\\nEnvironment=APP_MODE={value}\\n' > {folder}/x.conf; "
        f"systemctl daemon-reload; systemctl restart app-web; {_until_open('tcp', 8081)}"
    )
    return fault(command, "test_services::test_surroundings_of_the_web_service", "app-web")


def user_gone(chance: random.Random) -> Fault:
    """A user who is not there, but whose processes and files are."""
    name, services = chance.choice([("deploy", ()), ("batch", ("app-cleaner",)), ("app", ("app-web", "app-worker"))])
    return fault(f"userdel --force {name}", f"test_accounts::test_user[{name}]", name, "auditors", *services)


def user_changed(chance: random.Random) -> Fault:
    """Another shell, home folder or number of a user."""
    name = chance.choice(["deploy", "batch", "app"])
    line = chance.choice(
        ["s,[^:]*$,/bin/false,", "s,:[^:]*$,:,", "s,:[0-9]*:,:0:,", "s,:[^:]*:\\([^:]*\\)$,:/nowhere:\\1,"]
    )
    return fault(f"sed -i '/^{name}:/{line}' /etc/passwd", f"test_accounts::test_user[{name}]", name)


def user_locked(chance: random.Random) -> Fault:
    """A password that is locked or another."""
    name = chance.choice(["deploy", "batch"])
    command = chance.choice([f"usermod --lock {name}", f"usermod --password x {name}", f"usermod --password '' {name}"])
    check = {"deploy": "deploy-$6$", "batch": "batch-*"}[name]
    return fault(command, f"test_accounts::test_password[{check}]", name)


def user_ends(chance: random.Random) -> Fault:
    """An account that ends."""
    name, day = chance.choice(["deploy", "batch"]), chance.choice(["2031-02-03", "1970-01-02"])
    return fault(f"chage --expiredate {day} {name}", f"test_accounts::test_no_account_ends[{name}]", name)


def real_name(chance: random.Random) -> Fault:
    """Another real name, in letters of other languages too."""
    name = chance.choice(["", "Jürgen", "x,1,2,3", "日本"])
    command = f"sed -i 's/Deploys; on call/{name}/' /etc/passwd"
    return fault(command, "test_accounts::test_real_name", "deploy")


def membership(chance: random.Random) -> Fault:
    """A member less, or one more."""
    command, check, user = chance.choice([
        ("gpasswd --delete deploy adm", "test_groups_of_a_user[deploy-adm app auditors deploy]", "deploy"),
        ("gpasswd --delete batch auditors", "test_members_of_a_group", "batch"),
        ("gpasswd --add daemon auditors", "test_members_of_a_group", "auditors"),
        ("gpasswd --add batch adm", "test_groups_of_a_user[batch-auditors batch]", "batch"),
    ])  # fmt: skip
    return fault(command, f"test_accounts::{check}", user, "auditors")


def group_changed(chance: random.Random) -> Fault:
    """A group that is not there, or has another number."""
    command = chance.choice(["groupdel auditors", "groupmod --gid 4999 auditors", "groupmod --new-name audit auditors"])
    return fault(command, "test_accounts::test_group[auditors-4100]", "auditors", "deploy", "batch")


def another_root(chance: random.Random) -> Fault:
    """Somebody else who is root, or a line that says nobody knows what."""
    line = chance.choice(["toor:x:0:0::/root:/bin/sh", "nonsense", "", "a:b"])
    return fault(f"echo '{line}' >> /etc/passwd", "test_accounts::test_nobody_else_is_root", "/etc/passwd")


def home_is_someone_elses(chance: random.Random) -> Fault:
    """A home folder of somebody else, or none."""
    name = chance.choice(["deploy", "batch"])
    command = chance.choice([f"chown daemon /home/{name}", f"rm -r /home/{name}", f"mv /home/{name} /root/kept-home"])
    return fault(command, f"test_accounts::test_home_belongs_to_its_user[{name}]", name)


def kernel_setting(chance: random.Random) -> Fault:
    """A setting of the machine's own network; those of the kernel are everybody's and are left alone."""
    name, value = chance.choice([
        ("net.ipv4.ip_local_port_range", "30000 40000"), ("net.ipv4.tcp_syncookies", "2"),
        ("net.ipv4.tcp_keepalive_time", "60"), ("net.ipv4.tcp_fin_timeout", "30"),
    ])  # fmt: skip
    # "bind", or all of /proc would be read-only afterwards, and PAM would open no session.
    again = "mount -o remount,bind"
    command = f"{again},rw /proc/sys; sysctl --quiet --write {name}='{value}'; {again},ro /proc/sys"
    return fault(command, f"test_system::test_kernel_setting[{name}]", name)


def mounted_otherwise(chance: random.Random) -> Fault:
    """A file system that is not mounted, or otherwise."""
    command = chance.choice([
        "umount /opt/app/cache", "mount -o remount,ro /opt/app/cache", "mount -o remount,exec /opt/app/cache",
        "umount /opt/app/cache && mount -t ramfs none /opt/app/cache",
    ])  # fmt: skip
    return fault(command, "test_system::test_cache_is_mounted", "/opt/app/cache")


def host_name(chance: random.Random) -> Fault:
    """Another host name; one that is an address, too, since sudo complains of any other."""
    name = chance.choice(["localhost", "database.internal"])
    return fault(f"hostname {name}", "test_system::test_host_is_called_what_its_file_says", "hostname", "/etc/hosts")


def name_elsewhere(chance: random.Random) -> Fault:
    """A name that leads elsewhere, or nowhere."""
    line = chance.choice(["10.11.12.14 database.internal", "10.11.12.13 database", "# none"])
    command = f"sed 's/.*database.internal/{line}/' /etc/hosts > /root/hosts; cat /root/hosts > /etc/hosts"
    return fault(command, "test_system::test_name_of_the_database", "/etc/hosts", "hostname")


def status_says_otherwise(chance: random.Random) -> Fault:
    """A program that ends otherwise, says something else, or cannot be run."""
    body = chance.choice([
        "echo 'queue: 0 waiting'; echo 'no warnings' >&2", "kill -9 $$", "kill -TERM $$", "exit 255", "cat", "sleep 2; exit 3",
        "printf '\\377\\376\\n'; exit 3", "yes | head -c 10485760; exit 3", "yes | head -c 10485760 >&2; exit 3",
        "trap '' PIPE; exit 3", "echo 'queue: 0 waiting'; printf 'no warnings' >&2; exit 3", "(sleep 3; echo late) & exit 3",
    ])  # fmt: skip
    script = "#!/bin/sh\n" + body.replace("\\", "\\\\")
    command = f"cat > {BIN}/status << 'END'\n{script}\nEND\nchmod 755 {BIN}/status"
    return fault(command, "test_system::test_status", f"{BIN}/status")


def program_cannot_be_run(chance: random.Random) -> Fault:
    """A program without the right to be run, of an interpreter that is not there, or none."""
    command = chance.choice([
        f"chmod -x {BIN}/report", f"printf '#!/no/such\\n' > {BIN}/report", f"rm {BIN}/report",
        f"printf '\\177ELF' > {BIN}/report",
    ])  # fmt: skip
    return fault(command, "test_system::test_report_is_short", f"{BIN}/report")


def long_report(chance: random.Random) -> Fault:
    """10 MB of what is to be a line."""
    source = chance.choice(["yes", "cat /dev/zero", "seq 1 100000000", "tr '\\0' '\\377' < /dev/zero"])
    size = 10 * 1024 * 1024 + chance.randrange(1024 * 1024)
    command = f"cat > {BIN}/report << 'END'\n#!/bin/sh\n{source} 2> /dev/null | head -c {size}\nEND"
    return fault(command, "test_system::test_report_is_short", f"{BIN}/report")


def version_is_another(chance: random.Random) -> Fault:
    """A program that says another version, in more words or with an error."""
    body = chance.choice(
        ["echo 'app 2.4.2'", "echo 'app 2.4.1'; exit 1", "printf 'app 2.4.1\\\\n\\\\n'", "echo ' app 2.4.1'", ":"]
    )
    command = f"cat > {BIN}/version << 'END'\n#!/bin/sh\n{body}\nEND"
    return fault(command, "test_system::test_version", f"{BIN}/version")


def _of_service(test: str, name: str) -> str:
    return f"test_services::TestService::{test}[{name}]"


def _until_open(kind: str, port: int) -> str:
    return f"until ss -Hln --{kind} | grep -q ':{port} '; do sleep 0.1; done"


KINDS: tuple[Kind, ...] = (
    package_state, package_half_configured, package_version, package_journal, package_settings, service_stopped,
    service_killed, service_does_not_start, service_disabled, service_masked, timer_stopped, unit_failed,
    other_program_on_the_port, port_opened, surroundings, user_gone, user_changed, user_locked, user_ends, real_name,
    membership, group_changed, another_root, home_is_someone_elses, kernel_setting, mounted_otherwise, host_name,
    name_elsewhere, status_says_otherwise, program_cannot_be_run, long_report, version_is_another,
)  # fmt: skip
