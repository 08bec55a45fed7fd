"""A small project to bake in the tests, running bakes, and what they leave in the account.

The project is the real one with a shorter playbook: one marker file, then the real seal. A bake of it takes a third of
the full one's time, and every stage is the real stage.
"""

import json
import os
import shutil
import signal
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w

from tests.localcloud.conftest import BIN, ROOT, Cloud, wait_for

PLAYBOOK = """---
- name: Make a small image
  hosts: app_servers
  become: true
  gather_subset: ["!all", "!min", distribution, env, service_mgr]
  tasks:
    - name: Leave a marker
      ansible.builtin.copy:
        content: "marker\\n"
        dest: /opt/marker
        mode: "0644"
    {extra}
    - name: Seal
      ansible.builtin.import_role:
        name: golden_seal
"""
SPEC = """def test_marker(host):
    assert host.file("/opt/marker").content_string == "marker\\n"
"""
SETTINGS = """[images.app]
playbook = "playbooks/golden_image.yml"
packer = "packer"
specs = "specs"
lease_minutes = 1
stop_timeout_seconds = 30
"""
SLOW_TASK = """
    - name: Take a while
      ansible.builtin.command: sleep 20
      changed_when: false
"""
FAILING_TASK = """
    - name: Fail in the middle
      ansible.builtin.command: /bin/false
      changed_when: false
"""


def small_project(folder: Path, *, extra_task: str = "", spec: str = SPEC) -> Path:
    """Write a small project into a folder and return it."""
    for name in ("packer", "roles", "inventory"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("molecule"))
    for name in ("requirements.yml", "ansible.cfg"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "playbooks").mkdir()
    (folder / "playbooks" / "golden_image.yml").write_text(PLAYBOOK.format(extra=extra_task.strip() or ""))
    (folder / "specs").mkdir()
    (folder / "specs" / "test_marker.py").write_text(spec)
    (folder / "goldfleet.toml").write_text(SETTINGS)
    return folder


def change_settings(project: Path, variables: dict[str, Any], **image: str) -> None:
    """Give the image of a project other role variables, and other keys of its own, beside those that it has."""
    file = project / "goldfleet.toml"
    settings = tomllib.loads(file.read_text())
    settings["images"]["app"] |= image
    settings["images"]["app"]["variables"] |= variables
    file.write_text(tomli_w.dumps(settings))


BREAK_WEB_SERVER = """---
- name: Break the web server of the image
  ansible.builtin.systemd_service:
    name: nginx
    enabled: false
"""


def real_project(folder: Path) -> Path:
    """Write what a bake of the real project reads into a folder and return it."""
    for name in ("packer", "roles", "inventory", "playbooks", "tests/fleet"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("molecule", "__pycache__"))
    for name in ("requirements.yml", "ansible.cfg", "goldfleet.toml"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def project_with_broken_web_server(folder: Path) -> Path:
    """Write the real project into a folder, with one more role that breaks what web_stack promises; return it."""
    real_project(folder)
    (folder / "roles" / "break_web_server" / "tasks").mkdir(parents=True)
    (folder / "roles" / "break_web_server" / "tasks" / "main.yml").write_text(BREAK_WEB_SERVER)
    playbook = folder / "playbooks" / "golden_image.yml"
    seal = "    - role: golden_seal"
    text = playbook.read_text()
    assert seal in text
    playbook.write_text(text.replace(seal, f"    - role: break_web_server\n{seal}"))
    return folder


@dataclass(frozen=True)
class Leftovers:
    """What an account holds that bakes may have left; ids, sorted."""

    instances: tuple[str, ...]
    key_pairs: tuple[str, ...]
    security_groups: tuple[str, ...]
    unverified_images: tuple[str, ...]

    def __str__(self) -> str:
        """Return the counts as a row of the orphan table."""
        counts = (self.instances, self.key_pairs, self.security_groups, self.unverified_images)
        return "{:9d} {:9d} {:14d} {:17d}".format(*map(len, counts))


HEADINGS = "instances key pairs security groups unverified AMIs"
NOTHING_LEFT = Leftovers((), (), (), ())


def leftovers(cloud: Cloud) -> Leftovers:
    """Return what bakes have left in the account now."""
    alive = [{"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}]
    tagged = [{"Name": "tag-key", "Values": ["goldfleet:run"]}]
    instances = [
        instance["InstanceId"]
        for reservation in cloud.ec2.describe_instances(Filters=[*alive, *tagged])["Reservations"]
        for instance in reservation["Instances"]
    ]
    pairs = [pair["KeyName"] for pair in cloud.ec2.describe_key_pairs(Filters=tagged)["KeyPairs"]]
    groups = [group["GroupId"] for group in cloud.ec2.describe_security_groups(Filters=tagged)["SecurityGroups"]]
    images = [
        image["ImageId"]
        for image in cloud.ec2.describe_images(Owners=["self"])["Images"]
        if image["Name"].startswith("goldfleet-")
        and "goldfleet:verified" not in [tag["Key"] for tag in image.get("Tags", [])]
    ]
    return Leftovers(*(tuple(sorted(found)) for found in (instances, pairs, groups, images)))


def pointers(cloud: Cloud) -> dict[str, str]:
    """Return the SSM pointers of image `app`."""
    names = ["/goldfleet/images/app/current", "/goldfleet/images/app/previous"]
    found = cloud.aws("ssm", "get-parameters", "--names", *names)["Parameters"]
    return {parameter["Name"].rpartition("/")[2]: parameter["Value"] for parameter in found}


def bake_published(cloud: Cloud, project: Path) -> dict[str, Any]:
    """Bake a project, which must be published, and return what the bake printed, parsed."""
    bake = RunningBake(cloud, project)
    printed = bake.process.communicate(timeout=900)[0]
    assert bake.process.returncode == 0, bake.said()
    return dict(json.loads(printed))


@contextmanager
def mounted_image(cloud: Cloud, image_id: str) -> Iterator[Path]:
    """Give the folder in which an image's own file system can be read; nothing of it is booted."""
    (image,) = cloud.aws("ec2", "describe-images", "--image-ids", image_id)["Images"]
    snapshot = image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    cloud_id = json.loads((cloud.state / "cloud.json").read_text())["cloud_id"]
    reference = f"localhost/goldfleet/{cloud_id}:{snapshot}"
    mounted = subprocess.run(["podman", "image", "mount", reference], capture_output=True, text=True, check=True)
    try:
        yield Path(mounted.stdout.strip())
    finally:
        subprocess.run(["podman", "image", "unmount", reference], capture_output=True, check=True)


@dataclass
class RunningBake:
    """A bake in a process of its own."""

    cloud: Cloud
    project: Path
    options: tuple[str, ...] = ()
    process: subprocess.Popen[str] = field(init=False)
    calls_before: int = field(init=False)

    def __post_init__(self) -> None:
        """Start it."""
        self.calls_before = len(self._call_lines())
        self.process = subprocess.Popen(
            [str(BIN / "goldfleet"), "bake", "--project", str(self.project), "--json", *self.options],
            env=self.cloud.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=(self.project / "bake.err").open("w"),
            text=True,
            start_new_session=True,
        )

    def end(self, seconds: float = 300) -> tuple[int, str]:
        """Wait for the end; return (exit code, what it said on stderr)."""
        self.process.communicate(timeout=seconds)
        return self.process.returncode, self.said()

    def said(self) -> str:
        """Return what it has said on stderr so far."""
        return (self.project / "bake.err").read_text()

    def wait_call(self, action: str) -> None:
        """Wait until the local cloud has answered an EC2 call of that action for this bake."""

        def seen() -> bool:
            new = [json.loads(line) for line in self._call_lines()[self.calls_before :]]
            return any(call["action"] == action and call["status"] == 200 for call in new)

        wait_for(f"{action} by the bake", seen, 180)

    def wait_said(self, words: str) -> None:
        """Wait until its progress shows these words."""
        wait_for(f"{words!r} from the bake", lambda: words in self.said(), 180)

    def descendants(self, name: str = "") -> list[int]:
        """Return the process ids of everything it started, of that name only when one is given."""
        parents: dict[int, list[int]] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                words = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(words[1]), []).append(int(stat.parent.name))
        found, queue = [], [self.process.pid]
        while queue:
            for child in parents.get(queue.pop(), []):
                found.append(child)
                queue.append(child)
        return [pid for pid in found if not name or _program(pid) == name]

    def kill_everything(self) -> None:
        """Kill the bake and everything it started with signal 9, as a power cut would."""
        pids = [self.process.pid, *self.descendants()]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.communicate()

    def _call_lines(self) -> list[str]:
        return [line for line in (self.cloud.state / "calls.jsonl").read_text().splitlines() if line.endswith("}")]


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def settle(look: Callable[[], Any], seconds: float = 30) -> Any:
    """Return what `look` returns once it has been the same for two seconds: AMIs and instances finish by themselves."""
    seen, since, deadline = look(), time.monotonic(), time.monotonic() + seconds
    while time.monotonic() - since < 2 and time.monotonic() < deadline:
        time.sleep(0.3)
        now = look()
        if now != seen:
            seen, since = now, time.monotonic()
    return seen
