"""Checks a call against AWS's published shapes: lengths, ranges, patterns, allowed values.

Clients check little of it, so a caller meets the rest on AWS only. Source: botocore's service model of SSM, which is AWS's own.
"""

import functools
import re
from collections.abc import Iterator
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, ServiceModel, Shape, StructureShape

from goldfleet.localcloud.ssm.refusals import validation_error


@functools.cache
def _service() -> ServiceModel:
    return ServiceModel(Loader().load_service_model("ssm", "service-2"))


def check(action: str, parameters: dict[str, Any]) -> None:
    """Raise ValidationException, with all that is wrong, unless a call's parameters keep to their shapes."""
    shape = _service().operation_model(action).input_shape
    complaints = list(_complaints(shape, parameters, "")) if shape else []
    if complaints:
        count = f"{len(complaints)} validation error{'s' if len(complaints) > 1 else ''} detected: "
        raise validation_error(count + "; ".join(complaints))


def _complaints(shape: Shape, value: Any, path: str) -> Iterator[str]:
    for rule in _broken(shape, value):
        yield f"Value '{value}' at '{path}' failed to satisfy constraint: Member must {rule}"
    if isinstance(shape, StructureShape):
        for name in shape.required_members:
            if name not in value:
                missing = _below(path, name)
                yield f"Value null at '{missing}' failed to satisfy constraint: Member must not be null"
        for name, member in shape.members.items():
            if value.get(name) is not None:
                yield from _complaints(member, value[name], _below(path, name))
    elif isinstance(shape, ListShape):
        for number, item in enumerate(value, 1):
            yield from _complaints(shape.member, item, f"{path}.{number}.member")


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name[0].lower() + name[1:]


def _broken(shape: Shape, value: Any) -> Iterator[str]:
    """Yield the rules of one shape that a value breaks, in AWS's words."""
    rules = shape.metadata
    if shape.type_name in ("string", "list"):
        if len(value) < rules.get("min", 0):
            yield f"have length greater than or equal to {rules['min']}"
        if len(value) > rules.get("max", len(value)):
            yield f"have length less than or equal to {rules['max']}"
    elif shape.type_name == "integer":
        if value < rules.get("min", value):
            yield f"have value greater than or equal to {rules['min']}"
        if value > rules.get("max", value):
            yield f"have value less than or equal to {rules['max']}"
    pattern = rules.get("pattern", "")
    if pattern and "\\p{" not in pattern and not re.fullmatch(pattern, value):  # Python knows no \p{L}
        yield f"satisfy regular expression pattern: {pattern}"
    if value not in rules.get("enum", [value]):
        yield f"satisfy enum value set: [{', '.join(rules['enum'])}]"
