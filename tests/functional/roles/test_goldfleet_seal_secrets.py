"""Secrets inside files: goldfleet-seal reports them, on file systems with one planted secret each."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROLES_FOLDER = Path(__file__).resolve().parents[3] / "roles"
ROLES = sorted(path.parents[1].name for path in ROLES_FOLDER.glob("*/meta/argument_specs.yml"))
FILES = ROLES_FOLDER / "golden_seal/files"
PROGRAM = FILES / "goldfleet-seal"
BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\n"
KEY = f"-----BEGIN {'PRIVATE'} KEY-----\n{BODY}"
ACCESS_KEY = "AKIA" + "Q3EGVZUTLWOPKHN2"


def header(name: str) -> str:
    """Return the first line of a private key; put together, so that this file holds none."""
    return f"-----BEGIN {name}{'PRIVATE'} KEY-----\n"


PRIVATE_KEYS = {
    "PKCS 8": KEY,
    "encrypted": header("ENCRYPTED ") + BODY,
    "RSA": header("RSA ") + BODY,
    "EC": header("EC ") + BODY,
    "OpenSSH": header("OPENSSH ") + "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ\n",
    "RSA, encrypted the old way": header("RSA ") + "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A1B\n\n" + BODY,
    "Windows line ends": KEY.replace("\n", "\r\n"),
    "JSON of a service account": json.dumps({"private_key": KEY}),
    "GnuPG": f"-----BEGIN PGP {'PRIVATE'} KEY BLOCK-----\n\nlQOYBGVkZWQBCADJ5nGxV2kq0d1m\n",
    "after a certificate": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n" + KEY,
}
ACCESS_KEYS = {
    "shell": f"export AWS_ACCESS_KEY_ID={ACCESS_KEY}\n",
    "temporary": f"aws_access_key_id = ASIA{ACCESS_KEY[4:]}\n",
    "PHP": f"<?php $key = '{ACCESS_KEY}';",
}
HARMLESS = {
    "code that looks for keys": f'if line == "{KEY.splitlines()[0]}":\n    pass\n',
    "a manual": f"A key begins with {KEY.splitlines()[0]} and ends so.\n",
    "a certificate": "-----BEGIN CERTIFICATE-----\n" + BODY,
    "a public key": "-----BEGIN PUBLIC KEY-----\n" + BODY,
    "the key of AWS's manuals": "aws_access_key_id = AKIAIOSFODNN7EXAMPLE\n",
    "a longer word": f"X{ACCESS_KEY}",
    "a shorter word": ACCESS_KEY[:-1],
    "lower case": ACCESS_KEY.lower(),
}
PLACES = (
    "etc/ssl/private/site.key", "opt/app/config.php", "root/deploy.pem", "home/admin/notes/old.txt", "srv/app/.env",
    "usr/local/etc/x.conf", "var/www/shop/shared/.env", "data/app/id", "etc/.hidden", "root/.ssh/deploy_key",
)  # fmt: skip


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A sealed image whose accounts have no password."""
    plant(tmp_path, "etc/passwd", "root:x:0:0::/root:/bin/sh\napp:x:1001:1001::/data/app:/bin/sh\n")
    plant(tmp_path, "etc/shadow", "root:*:19000:0:99999:7:::\napp:!:19000::::::\nold:!$y$j9T$a$b:19000::::::\n")
    plant(tmp_path, "var/cache/debconf/passwords.dat", "Name: mysql/root\nTemplate: mysql/root\nValue: \nOwners: x\n")
    return tmp_path


def plant(image: Path, path: str, text: str = "planted\n") -> Path:
    """Write a file into the image."""
    file = image / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode())
    return file


def run_seal(image: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the program on the image."""
    command = [str(PROGRAM), "--root", str(image), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def find_left(image: Path) -> list[tuple[str, str]]:
    """Return (kind, path) of what the check finds."""
    left = json.loads(run_seal(image, "--check", "--json").stdout)["left"]
    return [(one["kind"], one["path"]) for one in left]


@pytest.mark.parametrize("text", PRIVATE_KEYS.values(), ids=PRIVATE_KEYS)
def test_private_key_is_found(image: Path, text: str) -> None:
    """In each of the forms in which keys are kept."""
    plant(image, "opt/app/x", text)
    assert find_left(image) == [("private key in a file", "/opt/app/x")]


@pytest.mark.parametrize("text", ACCESS_KEYS.values(), ids=ACCESS_KEYS)
def test_access_key_is_found(image: Path, text: str) -> None:
    """In whatever language it is written down."""
    plant(image, "opt/app/x", text)
    assert find_left(image) == [("AWS access key in a file", "/opt/app/x")]


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS)
def test_what_is_no_secret_is_not_reported(image: Path, text: str) -> None:
    """An alarm for nothing would be switched off."""
    plant(image, "opt/app/x", text)
    assert find_left(image) == []


@pytest.mark.parametrize("path", PLACES)
def test_secret_is_found_wherever_people_write(image: Path, path: str) -> None:
    """Configuration, programs of their own, sites, and the homes of people and applications."""
    plant(image, path, KEY)
    assert find_left(image) == [("private key in a file", f"/{path}")]


@pytest.mark.parametrize("path", ["usr/lib/python3/test/key.pem", "run/goldfleet/settings.env", "var/lib/app/x"])
def test_places_of_packages_and_of_the_running_server_are_not_read(image: Path, path: str) -> None:
    """Packages bring test keys along; /run is memory; data of services is theirs."""
    plant(image, path, KEY)
    assert find_left(image) == []


def test_secret_is_never_removed_and_keeps_the_way_in(image: Path) -> None:
    """Nobody can say who needs the file; the seal fails, and the keys stay for whoever looks."""
    secret = plant(image, "opt/app/site.key", KEY)
    way_in = plant(image, "root/.ssh/authorized_keys")
    seen = run_seal(image)
    assert (seen.returncode, "private key in a file: /opt/app/site.key" in seen.stdout) == (6, True)
    assert (secret.is_file(), way_in.is_file()) == (True, True)


def test_secret_that_goes_anyway_is_reported_once(image: Path) -> None:
    """What another rule removes is that rule's."""
    plant(image, "root/.aws/credentials", ACCESS_KEYS["temporary"])
    assert find_left(image) == [("credentials", "/root/.aws")]
    assert run_seal(image).returncode == 0


def test_link_to_a_key_is_not_followed(image: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What a link leads to is not the image's, or is found where it is."""
    outside = plant(tmp_path_factory.mktemp("outside"), "key.pem", KEY)
    for name, target in (("file", outside), ("folder", outside.parent)):
        (image / "opt").mkdir(exist_ok=True)
        (image / "opt" / name).symlink_to(target)
    assert find_left(image) == []


def test_file_as_its_package_brought_it_is_allowed(image: Path) -> None:
    """By dpkg's sums."""
    plant(image, "opt/tool/test.pem", KEY)
    digest = hashlib.md5(KEY.encode(), usedforsecurity=False).hexdigest()
    plant(image, "var/lib/dpkg/info/tool.md5sums", f"{digest}  opt/tool/test.pem\n")
    assert find_left(image) == []


def test_configuration_file_as_its_package_brought_it_is_allowed(image: Path) -> None:
    """Sums of configuration files are in dpkg's status."""
    plant(image, "etc/tool/example.pem", KEY)
    digest = hashlib.md5(KEY.encode(), usedforsecurity=False).hexdigest()
    plant(image, "var/lib/dpkg/status", f"Package: tool\nConffiles:\n /etc/tool/example.pem {digest}\n")
    assert find_left(image) == []


def test_secret_written_into_a_packages_file_is_found(image: Path) -> None:
    """That a package owns a file says nothing of what somebody wrote into it."""
    plant(image, "etc/tool/tool.conf", KEY)
    plant(image, "var/lib/dpkg/info/tool.md5sums", f"{'0' * 32}  etc/tool/tool.conf\n")
    plant(image, "var/lib/dpkg/status", f"Package: tool\nConffiles:\n /etc/tool/tool.conf {'0' * 32}\n")
    assert find_left(image) == [("private key in a file", "/etc/tool/tool.conf")]


@pytest.mark.parametrize(
    ("pattern", "left"), [("/opt/app/tests/*", 0), ("/opt/app/tests/a.pem", 0), ("/opt/*.key", 1), ("# /opt/*", 1)]
)
def test_allowed_list_names_files(image: Path, pattern: str, left: int) -> None:
    """Whoever bakes may know better; only whole paths count."""
    plant(image, "opt/app/tests/a.pem", KEY)
    plant(image, "usr/local/lib/goldfleet/goldfleet_seal/allowed.txt", f"{pattern}\n")
    assert len(find_left(image)) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('{"password": "hunter2"}', 1),
        ('{"token" : "x"}', 1),
        ('{"password": ""}', 0),
        ('{"settings": "database/main", "secrets": ["shop/database"]}', 0),
    ],
)
def test_goldfleets_own_configuration_holds_no_password(image: Path, text: str, left: int) -> None:
    """What is in /etc/goldfleet is in every clone."""
    plant(image, "etc/goldfleet/backends.d/database-main.json", text)
    assert find_left(image) == [("password in a file", "/etc/goldfleet/backends.d/database-main.json")][:left]


@pytest.mark.parametrize("field", ["", "$y$j9T$abc$def", "x1/crypt"])
def test_account_with_a_password_or_none_needed_is_found(image: Path, field: str) -> None:
    """Every clone would let the same password in, or anybody."""
    plant(image, "etc/shadow", f"root:*:19000:0:99999:7:::\nadmin:{field}:19000:0:99999:7:::\n")
    assert find_left(image) == [("password of an account", "/etc/shadow")]


def test_password_that_debconf_keeps_is_found(image: Path) -> None:
    """A package asked for it, and it was answered."""
    plant(image, "var/cache/debconf/passwords.dat", "Name: mysql/root\nTemplate: mysql/root\nValue: hunter2\n")
    assert find_left(image) == [("password in a file", "/var/cache/debconf/passwords.dat")]


@pytest.fixture
def tree_module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The part of the program that looks at the file system."""
    monkeypatch.syspath_prepend(str(FILES))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return importlib.import_module("goldfleet_seal.tree")


MOUNTS = """22 1 259:1 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p1 rw
30 22 0:25 / /srv/shared\\040files rw,relatime shared:9 - nfs4 fs-1:/ rw,vers=4.1
31 22 0:26 / /mnt/efs rw - autofs systemd-1 rw
32 22 0:27 / /mnt/bucket rw - fuse.s3fs s3fs rw
33 22 259:2 / /home rw - xfs /dev/nvme1n1 rw
34 22 0:28 / /tmp rw - tmpfs tmpfs rw
"""


def test_shares_are_told_from_disks(tree_module: ModuleType) -> None:
    """A disk of its own is part of the machine; what a network or a program serves is not."""
    assert tree_module.find_shares(MOUNTS) == {"/srv/shared files", "/mnt/efs", "/mnt/bucket"}


def test_share_counts_as_nothing(tree_module: ModuleType, image: Path) -> None:
    """Nothing on a share is looked at, listed or matched."""
    plant(image, "srv/share/key.pem", KEY)
    tree = tree_module.Tree(str(image), frozenset({"/srv/share"}))
    seen = (tree.mode("/srv/share"), tree.names("/srv/share"), list(tree.expand("/srv/*/*.pem")))
    assert (seen, tree.obstacle("/srv/share/key.pem")) == ((0, [], []), "/srv/share")


@pytest.mark.parametrize("swapped", ["", "deep", "deep/er"])
def test_folder_that_became_a_link_since_the_look_is_not_entered(
    tree_module: ModuleType, image: Path, tmp_path_factory: pytest.TempPathFactory, swapped: str
) -> None:
    """Whoever owns a folder of the path could turn it between look and removal."""
    leftover = importlib.import_module("goldfleet_seal.rules").Leftover("x", "/srv/deep/er/file", "remove")
    here = os.getcwd()
    outside = tmp_path_factory.mktemp("outside")
    for place in (outside, image / "srv/deep/er"):
        plant(place, "file")
    plant(outside, "er/file")
    if swapped:
        (image / "srv" / swapped).rename(image / "moved")
        (image / "srv" / swapped).symlink_to(outside)
    tree = tree_module.Tree(str(image))
    try:
        if swapped:
            with pytest.raises(NotADirectoryError):
                tree.undo(leftover)
        else:
            tree.undo(leftover)
    finally:
        os.chdir(here)
    assert (outside / "file").exists()
    assert (outside / "er/file").exists()


def key_names(options: dict[str, Any]) -> Iterator[str]:
    """Give the names of options, without the role's, and of the keys below them: what role files in JSON may call a value."""
    for name, option in options.items():
        yield name
        yield from key_names(option.get("options", {}))


@pytest.mark.parametrize("role", ROLES)
def test_settings_of_roles_are_not_taken_for_secrets(role: str, image: Path) -> None:
    """Roles write them into /etc/goldfleet: with a key that is named as the rule names secrets, no bake would succeed."""
    specification = yaml.safe_load((ROLES_FOLDER / role / "meta/argument_specs.yml").read_text())["argument_specs"]
    names = {name.removeprefix(f"{role}_") for name in key_names(specification["main"]["options"])}
    plant(image, f"etc/goldfleet/{role}.json", json.dumps(dict.fromkeys(names, "value")))
    assert find_left(image) == []
