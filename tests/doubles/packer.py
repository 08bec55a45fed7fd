"""Packers: one that works, ones that fail or are killed at a stated moment. All act on the account in memory."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from goldfleet import tags
from goldfleet.aws.model import Launch
from goldfleet.bake.run_folder import RunFolder
from goldfleet.errors import AwsError
from tests.doubles.account import InMemoryAccount

KILLED_AT = (
    "before the builder",
    "with the builder running",
    "with a pending AMI",
    "with an AMI, untagged",
    "at the end",
)


class WorkingPacker:
    """Starts a builder, makes an AMI of it with the tags of the template, ends the builder."""

    def __init__(self, account: InMemoryAccount, version: tuple[int, ...] = (1, 6, 6)) -> None:
        self.account = account
        self._version = version
        self.variables: dict[str, Any] = {}
        self.ansible_variables: dict[str, Any] = {}

    def version(self, folder: Path) -> tuple[int, ...]:
        return self._version

    def build(self, run: RunFolder, version: tuple[int, ...], on_line: Callable[[str], None]) -> str:
        self.variables = json.loads(run.packer_variables.read_text())
        self.ansible_variables = json.loads(run.variables.read_text())
        self.at("before the builder")
        on_line("amazon-ebs.golden: output will be in this color.")
        builder = self.start_builder()
        self.at("with the builder running")
        self.copy_documents()
        image_id = self.make_ami()
        self.at("at the end")
        self.account.end_machine(builder)
        return image_id

    def at(self, moment: str) -> None:
        """Is told which moment has come; this Packer goes on."""

    def start_builder(self) -> str:
        assert self.variables["ssh_keypair_name"] in self.account.pairs
        assert self.variables["security_group_id"] in self.account.groups
        run = self.variables["run_id"]
        return self.account.start_machine(
            Launch(
                image_id=self.variables["source_ami"],
                instance_type=self.variables["instance_type"],
                key_name=self.variables["ssh_keypair_name"],
                security_group_ids=(self.variables["security_group_id"],),
                subnet_id=None,
                tags=tags.temporary_tags(self.variables["image"], run, self.variables["expires"]),
                client_token="",
            )
        )

    def copy_documents(self) -> None:
        """Do what role golden_seal does: copy manifest and SBOM to where Ansible runs."""
        for name in ("manifest.json", "sbom.cdx.json"):
            (Path(self.ansible_variables["golden_seal_copy_folder"]) / name).write_text("{}")

    def make_ami(self) -> str:
        variables = self.variables
        name = tags.ami_name(variables["image"], variables["run_id"])
        if self.stops_at("with a pending AMI"):
            self.account.add_image(name, {}, state="pending")
            self.at("with a pending AMI")
        if self.stops_at("with an AMI, untagged"):
            self.account.add_image(name, {})
            self.at("with an AMI, untagged")
        return self.account.add_image(
            name,
            {
                tags.IMAGE: variables["image"],
                tags.FINGERPRINT: variables["fingerprint"],
                tags.SOURCE_AMI: variables["source_ami"],
                tags.COMMIT: variables["commit"],
                tags.RUN: variables["run_id"],
            },
        ).image_id

    def stops_at(self, moment: str) -> bool:
        """Tell whether this Packer ends at the moment; this one never does."""
        return False


class PackerThatIsKilled(WorkingPacker):
    """Dies at a stated moment and cleans up nothing. Dying may be any error."""

    def __init__(self, account: InMemoryAccount, moment: str, error: BaseException | None = None) -> None:
        super().__init__(account)
        self._moment = moment
        self._error = error or AwsError("packer build was killed by SIGKILL.")

    def at(self, moment: str) -> None:
        if moment == self._moment:
            raise self._error

    def stops_at(self, moment: str) -> bool:
        return moment == self._moment


class PackerOfAnotherPlaybook(WorkingPacker):
    """Bakes by a playbook without role golden_seal."""

    def copy_documents(self) -> None:
        pass


class PackerThatMustNotRun(WorkingPacker):
    """Fails the test when it is asked to build."""

    def build(self, run: RunFolder, version: tuple[int, ...], on_line: Callable[[str], None]) -> str:
        raise AssertionError("Packer must not run")
