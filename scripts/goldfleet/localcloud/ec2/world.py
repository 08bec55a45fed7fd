"""What moto's extended EC2 needs from the rest of the local cloud, in one place.

moto builds its backends itself, one for each account and region, so they cannot be given arguments; they find their
collaborators here. Set once by `install`, before moto builds anything.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from goldfleet.localcloud.machines import Machines
from goldfleet.localcloud.state import CloudState


@dataclass
class World:
    """The collaborators of the extended backends. `lock` guards moto's records; podman is never called under it."""

    state: CloudState
    machines: Machines
    lock: threading.RLock = field(default_factory=threading.RLock)
    workers: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(32, thread_name_prefix="machine"))
    may: Callable[[str, str, str], bool] = lambda _caller, _action, _resource: True  # by access key id, action, ARN
    load_balancers: Callable[[], list[Any]] = list  # as members of security groups, in the words of moto's instances

    @contextmanager
    def unlocked(self) -> Iterator[None]:
        """Let others in while an API call asks podman something; only from within an API call, which holds the lock once."""
        self.lock.release()
        try:
            yield
        finally:
            self.lock.acquire()
