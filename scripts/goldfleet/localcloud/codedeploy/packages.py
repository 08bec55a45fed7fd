"""The Debian packages that stand in for AWS's CodeDeploy agent, byte for byte the same wherever they are built.

So a checksum can be pinned: nothing is compressed, every time, owner and mode is fixed. Laid out as AWS's: program, service
and configuration at the same paths, started as soon as it is installed. The service of major 1 is an init script, and its
unit file lies beside that, where systemd does not look (aws-codedeploy-agent issue 130). A change of any of the files needs a
new revision in VERSIONS, since servers tell packages apart by their version alone. Run as a module, it writes the packages
into a folder. Source of the layout: shared research, codedeploy.md, sections 1, 2 and (c).
"""

import argparse
import io
import tarfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

VERSIONS = {1: "1.8.1-local2", 2: "2.0.1-local1"}
"""The revision marks a version as the local cloud's own."""
ARCHITECTURES = {1: ("all",), 2: ("amd64", "arm64")}
FILES = Path(__file__).parent / "files"
TIME = 1_767_225_600  # 2026-01-01, the modification time of everything in the packages
CONFIGURATION = "/etc/codedeploy-agent/conf/codedeployagent.yml"
CONTROL = """\
Package: codedeploy-agent
Version: {version}
Architecture: {architecture}
Maintainer: The goldfleet developers <goldfleet@localhost>
Depends: {depends}
Section: admin
Priority: optional
Description: stand-in for the AWS CodeDeploy agent, for goldfleet's local cloud
 Same files, commands and exit codes as AWS's package. It polls nothing, so no deployment ever reaches it.
"""
DEPENDS = {1: "bash, python3", 2: "libc6 (>= 2.17), python3"}


@dataclass(frozen=True)
class Package:
    """One package: which major, for which architecture."""

    major: int
    architecture: str

    @property
    def version(self) -> str:
        """The version, as the package and its name have it."""
        return VERSIONS[self.major]

    @property
    def name(self) -> str:
        """The file's name, as AWS's bucket has it."""
        return f"codedeploy-agent_{self.version}_{self.architecture}.deb"


PACKAGES = tuple(Package(major, architecture) for major in VERSIONS for architecture in ARCHITECTURES[major])


def read_file(name: str, package_major: int) -> bytes:
    """Return one of the package's files, with its placeholders filled in."""
    text = (FILES / name).read_text(encoding="utf-8")
    return text.replace("@MAJOR@", str(package_major)).replace("@VERSION@", VERSIONS[package_major]).encode()


@cache
def build_package(package: Package) -> bytes:
    """Return a package as a .deb file: an ar archive of its format version, its control files and its content."""
    major = package.major
    control = CONTROL.format(version=package.version, architecture=package.architecture, depends=DEPENDS[major])
    control_files = {
        "./control": (control.encode(), 0o644),
        "./conffiles": (f"{CONFIGURATION}\n".encode(), 0o644),
        **{f"./{script}": (read_file(f"{script}-{major}", major), 0o755) for script in ("postinst", "postrm", "prerm")},
    }
    content = {
        f".{CONFIGURATION}": (read_file(f"codedeployagent-{major}.yml", major), 0o644),
        "./opt/codedeploy-agent/bin/codedeploy-agent": (read_file("codedeploy-agent", major), 0o755),
    }
    unit = (read_file(f"codedeploy-agent-{major}.service", major), 0o644)
    if major == 1:
        content["./etc/init.d/codedeploy-agent"] = (read_file("codedeploy-agent.init", major), 0o755)
        content["./etc/init.d/codedeploy-agent.service"] = unit
        # 2.x writes it as the agent starts.
        content["./opt/codedeploy-agent/.version"] = (f"agent_version: LOCAL_{package.version}_deb\n".encode(), 0o644)
    else:
        content["./lib/systemd/system/codedeploy-agent.service"] = unit
    members = {
        "debian-binary": b"2.0\n",
        "control.tar": build_tar(control_files),
        "data.tar": build_tar(content),
    }
    return b"!<arch>\n" + b"".join(build_ar_member(name, member) for name, member in members.items())


def build_tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    """Return a tar archive of files, each content and mode by its path, and of the folders that they lie in."""
    folders = {str(parent) for path in files for parent in Path(path).parents if str(parent) != "."}
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for folder in sorted(folders):
            archive.addfile(describe(f"./{folder}", 0o755, tarfile.DIRTYPE))
        for path, (body, mode) in sorted(files.items()):
            member = describe(path, mode, tarfile.REGTYPE)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return stream.getvalue()


def describe(path: str, mode: int, kind: bytes) -> tarfile.TarInfo:
    """Return what a tar archive says of one member."""
    member = tarfile.TarInfo(path)
    member.type, member.mode, member.mtime, member.uname, member.gname = kind, mode, TIME, "root", "root"
    return member


def build_ar_member(name: str, body: bytes) -> bytes:
    """Return one member of an ar archive, padded to an even length."""
    header = f"{name:<16}{TIME:<12}{0:<6}{0:<6}{'100644':<8}{len(body):<10}`\n".encode()
    return header + body + b"\n" * (len(body) % 2)


def main() -> None:
    """Write the packages into a folder."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    for package in PACKAGES:
        (folder / package.name).write_bytes(build_package(package))


if __name__ == "__main__":
    main()
