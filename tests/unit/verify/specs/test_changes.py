"""Which commands are taken for ones that change a server."""

import pytest

from goldfleet.verify.specs.changes import changes_something


@pytest.mark.parametrize(
    "command",
    [
        "dpkg -i /tmp/x.deb", "mount /dev/sdb1 /mnt", "kill 17", "crontab -r",
        "rm -rf /tmp/x", "touch /tmp/x", "echo a > /tmp/x", "echo a >> /etc/motd", "cat x | tee /etc/x",
        "sed -i s/a/b/ /etc/x",
        "systemctl restart nginx", "sudo systemctl stop nginx", "sudo -u www-data touch /x", "service nginx restart",
        "test -e /x && rm /x", "true; mkdir /x", "apt-get install -y vim", "/usr/sbin/useradd x", "kill -HUP 1",
        "sysctl -w a=1",
        "curl -X POST http://127.0.0.1/", "sudo /bin/sh -c 'rm -f /x'", "sudo /bin/sh -c 'echo a >/x'",
        "LANG=C rm /x",
        "if true; then rm /x; fi", "(cd /tmp && rm x)", "timeout 5 reboot", "find /tmp -name x -delete",
        "install -D /dev/null /x",
        "echo $(touch /x)", "ls 2>/tmp/errors", "systemctl daemon-reload",
    ],
)  # fmt: skip
def test_change_is_seen(command: str) -> None:
    assert changes_something(command)


@pytest.mark.parametrize(
    "command",
    [
        "dpkg -l", "mount", "mount | grep /srv", "kill -0 17", "crontab -l", "passwd -S root", "apt-key list",
        "cat /etc/passwd", "systemctl is-active nginx", "systemctl show --property=Id nginx",
        "ls -l /tmp 2>/dev/null", "ls >/dev/null 2>&1",
        "grep -c 'rm -rf' /etc/x", "stat --format='%n %a' /etc/x", "dpkg-query --show --showformat='${Package}\\n'",
        "test -d /x || echo no",
        "curl --silent --fail http://127.0.0.1/status", "sysctl -n kernel.x", "python3 -c 'print(1 > 0)'",
        "find /etc -type f -printf '%m\\n'",
        "sudo /bin/sh -c 'cat /etc/shadow'", "command -v rm", "getent passwd touch", "awk '$3 > 100' /etc/passwd",
        "test 2 -gt 1", "sed -n 1p /x",
        "ip route show", "nginx -T -q", "visudo --check", "grep -q '^>' /x", "cat <<< x", "journalctl -b --no-pager",
        "sort <(cat /x)",
    ],
)  # fmt: skip
def test_look_is_not_taken_for_a_change(command: str) -> None:
    assert not changes_something(command)
