"""The kinds of values in goldfleet.toml that pydantic does not know: each check returns the value, or says what is wanted.

Pure. A ValueError's text is the end of a complaint; complaints.py puts file, key and the value seen before it.
"""

import ipaddress
import re
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator


def check_inside_project(path: str) -> str:
    """Return a path that stays inside the project; ValueError for any other."""
    pure = PurePosixPath(path)
    if not path or pure.is_absolute() or ".." in pure.parts:
        raise ValueError("wanted a path inside the project, relative to its folder")
    return str(pure)


def check_cidr(text: str) -> str:
    """Return an IPv4 range; ValueError for anything else."""
    try:
        ipaddress.IPv4Network(text)
    except ValueError as error:
        raise ValueError("wanted an IPv4 range such as 203.0.113.7/32") from error
    return text


def check_security_group_id(text: str) -> str:
    """Return the id of a security group; ValueError for anything else."""
    if not re.fullmatch(r"sg-[0-9a-f]{8,17}", text):
        raise ValueError("wanted the id of a security group such as sg-0123456789abcdef0")
    return text


def check_instance_profile(name: str) -> str:
    """Return the name of an IAM instance profile; ValueError for anything else. Source: IAM, CreateInstanceProfile."""
    if not re.fullmatch(r"[A-Za-z0-9_+=,.@-]{1,128}", name):
        raise ValueError("wanted the name of an IAM instance profile, no ARN: letters, digits and _+=,.@-")
    return name


def check_name(name: str) -> str:
    """Return a name that an image can have; ValueError for any other."""
    if not re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", name):
        raise ValueError("wanted 1 to 40 small letters, digits and inner hyphens")
    return name


def check_group_name(name: str) -> str:
    """Return a name that an Auto Scaling group can have; ValueError for any other. Source: CreateAutoScalingGroup."""
    if not 1 <= len(name) <= 255 or not name.isprintable() or ":" in name:
        raise ValueError("wanted the name of an Auto Scaling group: 1 to 255 printable characters, no colon")
    return name


def check_surge(surge: int | str) -> int | str:
    """Return how many instances a roll adds: a number from 1, also when it comes as text, or a share such as "25%"."""
    match = None if isinstance(surge, bool) else re.fullmatch(r"([0-9]{1,4})(%?)", str(surge).strip())
    if match is None or int(match[1]) < 1:
        raise ValueError('wanted a whole number of instances such as 2, or a share of the group such as "25%"')
    return f"{int(match[1])}%" if match[2] else int(match[1])


def check_variable(name: str) -> str:
    """Return a name that an Ansible variable can have; ValueError for any other."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError("wanted the name of an Ansible variable: letters, digits, underscores, no digit first")
    return name


ProjectPath = Annotated[str, AfterValidator(check_inside_project)]
Cidr = Annotated[str, AfterValidator(check_cidr)]
SecurityGroupId = Annotated[str, AfterValidator(check_security_group_id)]
InstanceProfileName = Annotated[str, AfterValidator(check_instance_profile)]
ImageName = Annotated[str, AfterValidator(check_name)]
VariableName = Annotated[str, AfterValidator(check_variable)]
GroupName = Annotated[str, AfterValidator(check_group_name)]
Surge = Annotated[int | str, AfterValidator(check_surge)]
