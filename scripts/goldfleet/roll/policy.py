"""What the operator wants, as numbers for a group of a given size; pure."""

import re
from dataclasses import replace

from goldfleet.errors import UsageError
from goldfleet.roll.model import Policy

WANTED = 'wanted a whole number of instances such as 2, or a share of the group such as "25%"'


def parse_surge(text: str) -> int | str:
    """Return a surge as `--surge` takes it.

    Raises UsageError for anything but a number from 1 or such a percentage.
    """
    match = re.fullmatch(r"([0-9]{1,4})(%?)", text.strip())
    if match is None or int(match[1]) < 1:
        raise UsageError(f"--surge {text}: {WANTED}.")
    return f"{int(match[1])}%" if match[2] else int(match[1])


def with_surge(policy: Policy, text: str | None) -> Policy:
    """Return the policy with the surge of the command line, if one was given."""
    return policy if text is None else replace(policy, surge=parse_surge(text))


def surge_limit(policy: Policy, desired_capacity: int) -> int:
    """Return how many instances a roll may add to a group of this desired capacity, 1 or more.

    A percentage rounds down, but never below 1.
    """
    if isinstance(policy.surge, int):
        return max(1, policy.surge)
    return max(1, desired_capacity * int(policy.surge.rstrip("%")) // 100)
