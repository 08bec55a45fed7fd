"""The base AMI: a Debian 12 root file system made from Debian packages with mmdebstrap.

Cached in the user's cache folder by content (the recipe below, the files in `rootfs/` and the local authority), and
imported into podman's store once. It has the owner, the kind of name and the login user of Debian's own AMIs, so the
default `source_ami_name` filter finds it unchanged. Neighbours: authority (whose certificate machines trust), podman.
"""

import datetime
import hashlib
import json
import platform
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from goldfleet.errors import AwsError, RefusedError
from goldfleet.localcloud.authority import load_or_create_authority
from goldfleet.localcloud.podman import Podman, PodmanError
from goldfleet.localcloud.state import locked

OWNER_ID = "136693071363"  # Debian's account; wiki.debian.org/Cloud/AmazonEC2Image/Bookworm
SUITE = "bookworm"
ROOT_DEVICE_NAME = "/dev/xvda"
PACKAGES = (
    "systemd", "systemd-sysv", "libpam-systemd", "dbus", "openssh-server", "python3", "python3-apt", "sudo",
    "ca-certificates", "iproute2", "netbase", "procps", "curl", "cloud-init", "unattended-upgrades", "less",
)  # fmt: skip
ROOTFS = Path(__file__).parent / "rootfs"
AUTHORITY_IN_IMAGE = "/usr/local/share/ca-certificates/goldfleet-local-cloud.crt"
# An image that is about to be cloned carries no identity and no package lists, as Debian's AMIs do not.
CUSTOMIZE = (
    'chroot "$1" update-ca-certificates',
    'chroot "$1" systemctl disable apt-daily.timer apt-daily-upgrade.timer unattended-upgrades.service',
    'rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/resolv.conf "$1"/etc/hostname',
    ': >"$1"/etc/machine-id',
)


@dataclass(frozen=True)
class BaseImage:
    """The base AMI: podman's reference, and the id and name under which EC2 lists it."""

    reference: str
    image_id: str
    name: str


def ensure_base_image(cache: Path, now: datetime.datetime, say: Callable[[str], None]) -> BaseImage:
    """Return the base image, building and importing only what is missing; `say` is told of work that takes long.

    Raises RefusedError when mmdebstrap is missing, GoldfleetError when the build fails (its log is named).
    """
    with locked(cache / "base.lock"):
        return _ensure(cache, now, say)


def _ensure(cache: Path, now: datetime.datetime, say: Callable[[str], None]) -> BaseImage:
    authority = load_or_create_authority(cache / "authority", now)
    recipe = recipe_digest(authority.certificate_pem)
    folder = cache / "base"
    facts_file, archive = folder / f"{recipe}.json", folder / f"{recipe}.tar"
    if not facts_file.exists():
        say(f"building the base image from Debian packages ({SUITE}; once, about 30 s)")
        folder.mkdir(parents=True, exist_ok=True)
        _build(archive, authority.certificate_pem, folder / f"{recipe}.log")
        partial = facts_file.with_suffix(".partial")
        partial.write_text(json.dumps({"built": f"{now:%Y%m%d-%H%M}"}))
        partial.replace(facts_file)
    reference = f"localhost/goldfleet/base:{recipe}"
    if not Podman().image_exists(reference):
        if not archive.exists():
            facts_file.unlink()
            return _ensure(cache, now, say)
        say("importing the base image into podman (once, about 5 s)")
        _import(archive, reference)
    built = json.loads(facts_file.read_text())["built"]
    name = f"debian-12-{debian_architecture()}-{built}"
    return BaseImage(reference, f"ami-{hashlib.sha256(f'{recipe} {built}'.encode()).hexdigest()[:17]}", name)


def recipe_digest(authority_certificate: bytes) -> str:
    """Return a short digest of everything that decides what the base image holds."""
    digest = hashlib.sha256()
    parts = [SUITE, debian_architecture(), *PACKAGES, *CUSTOMIZE, authority_certificate.decode()]
    for file in sorted(ROOTFS.rglob("*")):
        if file.is_file():
            parts += [str(file.relative_to(ROOTFS)), file.read_text()]
    for part in parts:
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()[:16]


def debian_architecture() -> str:
    """Return Debian's name of this machine's architecture (`amd64`, `arm64`)."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def _build(archive: Path, authority_certificate: bytes, log_file: Path) -> None:
    if shutil.which("mmdebstrap") is None:
        raise RefusedError("The base image needs mmdebstrap, which is not on PATH.", "Run `make setup`.")
    certificate = archive.with_suffix(".crt")
    certificate.write_bytes(authority_certificate)
    partial = archive.with_suffix(".partial.tar")
    hooks = [f"sync-in {ROOTFS} /", f"upload {certificate} {AUTHORITY_IN_IMAGE}", *CUSTOMIZE]
    command = ["mmdebstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
    command += [f"--customize-hook={hook}" for hook in hooks]
    with log_file.open("wb") as log:
        build = [*command, SUITE, str(partial)]
        code = subprocess.run(build, stdout=log, stderr=log, check=False, stdin=subprocess.DEVNULL).returncode
    certificate.unlink()
    if code != 0:
        partial.unlink(missing_ok=True)
        tail = "\n".join(log_file.read_text(errors="replace").splitlines()[-5:])
        raise AwsError(f"mmdebstrap could not build the base image (exit {code}):\n{tail}", f"See {log_file}.")
    partial.replace(archive)


def _import(archive: Path, reference: str) -> None:
    try:
        Podman().run("import", "--change", 'CMD ["/sbin/init"]', str(archive), reference, timeout_seconds=300)
    except PodmanError as error:
        raise AwsError(
            f"Podman could not import the base image: {error.message}",
            f"Is the disk full? Delete {archive} to rebuild.",
        ) from error
