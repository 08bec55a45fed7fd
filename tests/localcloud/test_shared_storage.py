"""Shares on a server of the local cloud: nothing is mounted over files, and the server is held while a share is missing.

A file system in memory stands where NFS would be, for which the kernel below containers has no client. What refuses or mounts
is the role's own unit, with what it mounts replaced; molecule's scenario `automount` mounts at the first use.
"""

import shlex
import subprocess

import pytest

from tests.localcloud.conftest import Cloud, wait_for

SHARES = [{"path": "/srv/shared-files/media", "server": "fs-0123456789abcdef0.efs.us-east-1.amazonaws.com"}]
UNIT = "srv-shared\\x2dfiles-media.mount"
IN_MEMORY = "[Mount]\nWhat=none\nType=tmpfs\nOptions=\n"
HOLD = "/run/goldfleet/hold/shared_storage"
PLAYBOOK = """---
- name: Configure one server with shares
  hosts: app_servers
  become: true
  gather_subset: ["!all", "!min", distribution, env, service_mgr]
  roles: [base, shared_storage]
"""


def apply(cloud: Cloud, server: str) -> subprocess.CompletedProcess[str]:
    """Run the role on a server; nothing is mounted yet, as in a bake."""
    playbook = cloud.folder / "shares.yml"
    playbook.write_text(PLAYBOOK)
    return cloud.play(server, playbook, {"shared_storage_mounts": SHARES, "shared_storage_running": False})


@pytest.mark.long
def test_files_are_never_hidden_and_the_server_waits_for_its_share(cloud: Cloud) -> None:
    (server,) = cloud.launch()
    cloud.wait_state(server, "running")

    def run(command: str, check: bool = True) -> str:
        return cloud.ssh(server, f"sudo sh -c {shlex.quote(command)}", check=check).stdout.strip()

    # The role itself, before it changes anything.
    run("mkdir -p /srv/shared-files/media && touch /srv/shared-files/media/.report")
    refused = apply(cloud, server)
    assert refused.returncode == 2
    assert "the share would hide /srv/shared-files/media/.report" in refused.stdout
    assert run("ls /etc/systemd/system/*.mount 2>/dev/null", check=False) == ""
    run("rm /srv/shared-files/media/.report")
    done = apply(cloud, server)
    assert done.returncode == 0, done.stdout[-4000:]

    # The unit.
    drop_in = f"/etc/systemd/system/{UNIT}.d"
    run(f"mkdir '{drop_in}' && printf {shlex.quote(IN_MEMORY)} > '{drop_in}/memory.conf' && systemctl daemon-reload")
    run("touch /srv/shared-files/media/later")
    assert run(f"systemctl start '{UNIT}' 2>&1; systemctl is-active '{UNIT}'", check=False).endswith("inactive")
    assert "later" in run("ls /srv/shared-files/media")
    run("rm /srv/shared-files/media/later")
    assert run(f"systemctl start '{UNIT}' && findmnt --noheadings --output FSTYPE /srv/shared-files/media") == "tmpfs"
    run(f"systemctl stop '{UNIT}'")

    # The hold, from the boot on; a share that is no longer required does not hold.
    cloud.aws("ec2", "reboot-instances", "--instance-ids", server)
    reason = "/srv/shared-files/media is not mounted: this kernel has no NFS client"
    wait_for("the reason", lambda: run(f"cat {HOLD}", check=False) == reason, 120)
    assert f"held out of service: {reason}" in run("journalctl --unit goldfleet-storage.service --output cat")
    SHARES[0]["required"] = False  # type: ignore[assignment]
    done = apply(cloud, server)
    assert done.returncode == 0, done.stdout[-4000:]
    assert run(f"ls {HOLD} /etc/systemd/system/goldfleet-storage.service 2>/dev/null", check=False) == ""
    cloud.terminate(server)
