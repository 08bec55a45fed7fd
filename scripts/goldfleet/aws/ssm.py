"""Systems Manager parameters: one method an API call."""

from typing import TYPE_CHECKING

from goldfleet.aws.errors import ThingExistsError, ThingIsGoneError, explained
from goldfleet.aws.model import Parameter

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_ssm.type_defs import ParameterTypeDef

MOST_NAMES_A_CALL = 10
"""GetParameters takes at most ten names. Source: API reference, GetParameters."""


class Ssm:
    """Parameters of one account and region."""

    def __init__(self, client: "SSMClient") -> None:
        self._client = client

    def get(self, name: str) -> Parameter | None:
        """Return a parameter, or None when there is none.

        `name:version` asks for an older version. Source: API reference, GetParameter.
        """
        try:
            with explained("GetParameter", name):
                answer = self._client.get_parameter(Name=name)
        except ThingIsGoneError:
            return None
        return _parameter(answer["Parameter"])

    def get_many(self, names: "Sequence[str]") -> dict[str, Parameter]:
        """Return those of at most ten parameters that exist, by name, in one call."""
        if len(names) > MOST_NAMES_A_CALL:
            raise ValueError(f"GetParameters takes {MOST_NAMES_A_CALL} names, not {len(names)}")
        with explained("GetParameters", ", ".join(names)):
            answer = self._client.get_parameters(Names=list(names))
        return _by_name(answer["Parameters"])

    def get_below(self, path: str) -> dict[str, Parameter]:
        """Return all parameters directly below a path, by name."""
        found: dict[str, Parameter] = {}
        with explained("GetParametersByPath", path):
            for page in self._client.get_paginator("get_parameters_by_path").paginate(Path=path):
                found.update(_by_name(page["Parameters"]))
        return found

    def create(self, name: str, value: str) -> int | None:
        """Make a parameter and return its version; None when there is one of this name already."""
        try:
            with explained("PutParameter", name):
                return self._client.put_parameter(Name=name, Value=value, Type="String", Overwrite=False)["Version"]
        except ThingExistsError:
            return None

    def put(self, name: str, value: str) -> int:
        """Set a parameter, made or overwritten, and return the version that this write got."""
        with explained("PutParameter", name):
            return self._client.put_parameter(Name=name, Value=value, Type="String", Overwrite=True)["Version"]


def _by_name(parameters: "Iterable[ParameterTypeDef]") -> dict[str, Parameter]:
    return {made.name: made for made in map(_parameter, parameters)}


def _parameter(answer: "ParameterTypeDef") -> Parameter:
    return Parameter(
        name=answer.get("Name", ""),
        value=answer.get("Value", ""),
        version=answer.get("Version", 0),
        modified=answer.get("LastModifiedDate"),
    )
