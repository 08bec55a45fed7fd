"""What the actions work on, and how each of them runs: the model under the API's lock, refusals as AWS's errors.

moto makes a response object for each call and cannot be given arguments, so the account is found on the class, as
`ec2/world.py` explains.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from moto.autoscaling.exceptions import AutoscalingClientError
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult

from goldfleet.localcloud.autoscaling.answers import Record
from goldfleet.localcloud.autoscaling.engine import Engine
from goldfleet.localcloud.autoscaling.launches import MotoLaunches
from goldfleet.localcloud.autoscaling.requests import Subnets
from goldfleet.scaling.group import Group
from goldfleet.scaling.refusals import CallRefusedError, validation_error
from goldfleet.scaling.service import AutoScaling

Item = TypeVar("Item")


@dataclass
class Account:
    """Auto Scaling of the local cloud's account and region. `records` is by group name."""

    scaling: AutoScaling
    engine: Engine
    launches: MotoLaunches
    subnets: Subnets
    check_target_groups: Callable[[Sequence[str]], None]
    records: dict[str, Record] = field(default_factory=dict)


def action(method: Callable[[Any], dict[str, Any] | None]) -> Callable[[Any], ActionResult]:
    """Make an API action of a method that returns the answer, or None for an empty one.

    What the model refuses goes out as AWS's error; whatever was changed is acted on at once.
    """

    @functools.wraps(method)
    def act(self: "Actions") -> ActionResult:
        try:
            answer = method(self)
        except CallRefusedError as refusal:
            raise AutoscalingClientError(refusal.code, refusal.message) from refusal
        finally:
            self.account.engine.changed()
        return EmptyResult() if answer is None else ActionResult(answer)

    return act


class Actions(AutoScalingResponse):
    """What all actions share."""

    account: ClassVar[Account]

    def group(self) -> Group:
        """Return the group that the call names; CallRefusedError if there is none."""
        return self.account.scaling.group(self._get_param("AutoScalingGroupName") or "")

    def record(self, name: str) -> Record:
        """Return what is kept of a group beside its behaviour."""
        return self.account.records[name]

    def flag(self, name: str) -> bool:
        """Return a boolean parameter; False when it is not given."""
        return bool(self._get_param(name))

    def page(self, items: Sequence[Item], default: int, most: int) -> tuple[Sequence[Item], dict[str, str]]:
        """Return the part of a list that the call's NextToken and MaxRecords mean, and the token of what follows."""
        wanted = int(self._get_param("MaxRecords") or default)
        if not 1 <= wanted <= most:
            raise validation_error(f"MaxRecords must be between 1 and {most}, not {wanted}.")
        token = self._get_param("NextToken") or "0"
        if not token.isdigit():
            raise CallRefusedError("InvalidNextToken", "The NextToken value is not valid.")
        start = int(token)
        rest = {"NextToken": str(start + wanted)} if start + wanted < len(items) else {}
        return items[start : start + wanted], rest
