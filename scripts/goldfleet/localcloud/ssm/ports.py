"""What Run Command needs of the world: which nodes there are, how a script runs on one, where outputs are kept, the time."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from goldfleet.localcloud.ssm.model import Result


class Reach(StrEnum):
    """How a node can be reached now."""

    ONLINE = "its agent answers"
    STOPPED = "its instance is stopped, and may be started again"
    LOST = "its instance runs, and its agent does not answer (PingStatus ConnectionLost)"
    GONE = "there is no such node, or not any more"


@dataclass(frozen=True)
class Node:
    """A managed node, as its agent registered it."""

    instance_id: str
    name: str = ""
    address: str = ""
    reach: Reach = Reach.ONLINE
    tags: Mapping[str, str] = field(default_factory=dict)
    registered_at: float = 0.0


@dataclass(frozen=True)
class Script:
    """What the agent of a node is asked to run. `cancelled` is set when it is to be killed."""

    command_id: str
    text: str
    working_directory: str
    timeout_seconds: int
    cancelled: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Ran:
    """How a script ended; `output` is all that it wrote, by stream, for S3."""

    result: Result
    output: Mapping[str, bytes] = field(default_factory=dict)


class Nodes(Protocol):
    """The account's managed nodes."""

    def all(self) -> list[Node]:
        """Return every node whose instance is not being terminated."""
        ...

    def reach(self, instance_id: str) -> Reach:
        """Return how a node can be reached now. May wait for a lock; never called under the service's."""
        ...


class Agent(Protocol):
    """Runs scripts on nodes."""

    def run(self, instance_id: str, script: Script, *, keep_output: bool) -> Ran | None:
        """Run a script to its end and return how it ended; None when the node vanished, so that nobody will tell."""
        ...


class OutputStore(Protocol):
    """Where outputs are kept in full."""

    def put(self, bucket: str, key: str, content: bytes) -> None:
        """Keep one output; a bucket that does not exist is no error to the command."""
        ...
