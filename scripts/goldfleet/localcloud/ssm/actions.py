"""Run Command's actions in the place of moto's.

moto makes a response object for each call and cannot be given arguments, so the service is found on the class, as
`ec2/world.py` explains.
"""

import json
from typing import Any, ClassVar

from moto.core.responses import ActionResult
from moto.ssm.exceptions import SSMException
from moto.ssm.responses import SimpleSystemManagerResponse

from goldfleet.localcloud.ssm.refusals import CallRefusedError, unsupported
from goldfleet.localcloud.ssm.service import RunCommand
from goldfleet.localcloud.state import REGION


class LocalSsmResponse(SimpleSystemManagerResponse):
    """Systems Manager as the local cloud answers it: Run Command by its own service, everything else by moto."""

    service: ClassVar[RunCommand]

    def send_command(self) -> ActionResult:
        """Send a command."""
        return self._answer("SendCommand")

    def cancel_command(self) -> ActionResult:
        """Cancel a command."""
        return self._answer("CancelCommand")

    def list_commands(self) -> ActionResult:
        """List commands."""
        return self._answer("ListCommands")

    def list_command_invocations(self) -> ActionResult:
        """List invocations of commands."""
        return self._answer("ListCommandInvocations")

    def get_command_invocation(self) -> ActionResult:
        """Describe one invocation."""
        return self._answer("GetCommandInvocation")

    def describe_instance_information(self) -> ActionResult:
        """Describe managed nodes."""
        return self._answer("DescribeInstanceInformation")

    def _answer(self, action: str) -> ActionResult:
        parameters: dict[str, Any] = json.loads(self.body or "{}")
        try:
            if self.region != REGION:
                raise unsupported(f"region {self.region}")
            return ActionResult(self.service.call(action, parameters))
        except CallRefusedError as refusal:
            raise SSMException(refusal.code, str(refusal)) from refusal
