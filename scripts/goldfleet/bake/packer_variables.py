"""The variables that the Packer template and the playbook get. Pure."""

from dataclasses import dataclass

from pydantic import JsonValue

from goldfleet.bake.run_folder import RunFolder
from goldfleet.config.settings import ImageSettings


@dataclass(frozen=True)
class BuildFacts:
    """What a build is told about itself."""

    image: str
    run: str
    source_ami: str
    fingerprint: str
    commit: str
    expires: str


COPY_FOLDER = "golden_seal_copy_folder"
"""Where the seal copies manifest and SBOM to: it says something of this machine and nothing of the image."""


def ansible_variables(settings: ImageSettings, facts: BuildFacts, copy_folder: str) -> dict[str, JsonValue]:
    """Return Ansible's extra variables: the image's own, what the seal writes into the image's manifest, and where a
    copy of that goes.
    """
    return {
        **settings.variables,
        "golden_seal_image": facts.image,
        "golden_seal_run": facts.run,
        "golden_seal_commit": facts.commit,
        "golden_seal_source_ami": facts.source_ami,
        "golden_seal_fingerprint": facts.fingerprint,
        COPY_FOLDER: copy_folder,
    }


def packer_variables(
    settings: ImageSettings, facts: BuildFacts, folder: RunFolder, key_name: str, security_group_id: str
) -> dict[str, JsonValue]:
    """Return the template's variables, as its variables.pkr.hcl declares them."""
    variables: dict[str, JsonValue] = {
        "image": facts.image,
        "run_id": facts.run,
        "source_ami": facts.source_ami,
        "architecture": settings.architecture,
        "instance_type": settings.instance_type,
        "ssh_username": settings.ssh_username,
        "ssh_keypair_name": key_name,
        "ssh_private_key_file": str(folder.private_key),
        "security_group_id": security_group_id,
        "playbook": settings.playbook,
        "project_root": str(folder.path),
        "variables_file": str(folder.variables),
        "fingerprint": facts.fingerprint,
        "commit": facts.commit,
        "expires": facts.expires,
        "manifest_path": str(folder.manifest),
    }
    if settings.subnet_id:
        variables["subnet_id"] = settings.subnet_id
    return {name: _escaped(value) for name, value in variables.items()}


def _escaped(value: JsonValue) -> JsonValue:
    """Return a text as HCL reads it in JSON, where ${ and %{ start a template. Source: HCL, JSON syntax."""
    return value.replace("${", "$${").replace("%{", "%%{") if isinstance(value, str) else value
