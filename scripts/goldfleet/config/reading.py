"""Reads goldfleet.toml and checks it as a whole: all complaints come at once."""

import tomllib
from pathlib import Path

from pydantic import ValidationError

from goldfleet.config.complaints import describe_value
from goldfleet.config.settings import FILE_NAME, Settings
from goldfleet.errors import UsageError


def load_settings(project: Path) -> Settings:
    """Return the settings in the project's goldfleet.toml.

    Raises UsageError with every complaint at once.
    """
    path = project / FILE_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UsageError(f"There is no {path}.", "Run goldfleet in the project's folder, or name it: --project.") from (
            error
        )
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from error
    return parse_settings(text, str(path))


def parse_settings(text: str, file: str) -> Settings:
    """Return the settings in a text; `file` is the name that complaints give.

    Raises UsageError with every complaint at once.
    """
    try:
        return Settings.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file} is not valid TOML: {error}.") from error
    except ValidationError as error:
        complaints = sorted({describe_value(file, dict(details)) for details in error.errors()})
        raise UsageError("\n".join(complaints)) from error
