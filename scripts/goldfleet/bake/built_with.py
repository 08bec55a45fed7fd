"""The role variables that an image was built with, read from the run folder, as the specs of the bake read them.

The roles' defaults count too: those of tomorrow's checkout say nothing about a server of today's image.
"""

import json

from pydantic import JsonValue

from goldfleet.bake.facts import is_secret
from goldfleet.bake.packer_variables import COPY_FOLDER
from goldfleet.bake.project_files import load_yaml
from goldfleet.bake.run_folder import RunFolder
from goldfleet.verify.variables import encode_variables

_SEAL = "golden_seal_"


def read_defaults(folder: RunFolder) -> dict[str, JsonValue]:
    """Return the defaults of every role in the run folder."""
    defaults: dict[str, JsonValue] = {}
    for path in sorted(folder.path.glob("roles/*/defaults/main.yml")):
        found = load_yaml(path)
        defaults.update(found if isinstance(found, dict) else {})
    return defaults


def encode_built_with(folder: RunFolder) -> str:
    """Return the text that is kept of an image's variables, without texts whose names say that they are secrets.

    When they are too many for a parameter: without the roles' defaults, or only what names the bake.
    """
    written: dict[str, JsonValue] = json.loads(folder.variables.read_text(encoding="utf-8"))
    given = {name: value for name, value in written.items() if name != COPY_FOLDER}
    named = {name: value for name, value in given.items() if name.startswith(_SEAL)}
    everything = {**read_defaults(folder), **given}
    return encode_variables([_without_secrets(everything), _without_secrets(given), named])


def _without_secrets(variables: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """A switch or a number is no secret, whatever its name: base_sshd_password_authentication is none."""
    return {name: value for name, value in variables.items() if _is_plain(value) or not is_secret(name)}


def _is_plain(value: JsonValue) -> bool:
    return value is None or isinstance(value, bool | int | float)
