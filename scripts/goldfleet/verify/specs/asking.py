"""What one pytest knows of the servers that it names: the way to them, what they said, what that took."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from time import monotonic

from goldfleet.transport.model import Host, Limits, LocalHost, SshHost
from goldfleet.transport.opening import open_transport
from goldfleet.verify.specs.backend import GoldfleetBackend
from goldfleet.verify.specs.collected import PRELUDE, Collected
from goldfleet.verify.specs.learning import Learnt

LOCAL = "local"


@dataclass
class Asking:
    """Servers that are being asked. The first questions are on their way as soon as it is made, in a thread of its own."""

    collected: Collected
    learnt: Learnt = field(default_factory=Learnt)
    connected_seconds: float = 0.0
    learnt_seconds: float = 0.0
    first: Sequence[str] = PRELUDE
    """What is asked first."""

    _begun: Future[float] | None = None

    def begin(self) -> None:
        """Connect to every server, and ask the first questions."""
        pool = ThreadPoolExecutor(1, "connect")
        self._begun = pool.submit(self._begin, monotonic())
        pool.shutdown(wait=False)

    def _begin(self, started: float) -> float:
        self.collected.ask_first(self.first)
        return monotonic() - started

    def wait(self) -> None:
        """Wait until every server has answered for the first time, or has not."""
        if self._begun is not None:
            self.connected_seconds = self._begun.result()

    def close(self) -> None:
        """End every connection."""
        self.wait()
        self.collected.transport.close()


def open_asking(
    hosts: Mapping[str, Host], limits: Limits, first: Sequence[str] = PRELUDE, trouble: Mapping[str, str] | None = None
) -> Asking:
    """Return the way to these servers, on which the first questions are; from here on backends ask there.

    `trouble` says of more servers why they cannot be reached.
    """
    trouble = trouble or {}
    addresses = {name: host.address for name, host in hosts.items()}
    collected = Collected(open_transport(hosts, limits), (*hosts, *trouble), addresses=addresses, trouble=dict(trouble))
    asking = Asking(collected, first=first)
    GoldfleetBackend.collected = collected
    asking.begin()
    return asking


def close_asking(asking: Asking) -> None:
    """End every connection; backends ask nobody any more."""
    GoldfleetBackend.collected = None
    asking.close()


def host_of(backend: GoldfleetBackend) -> Host:
    """Return how a server is reached that --hosts names; `local` is this server itself."""
    spec = backend.spec
    if spec.name == LOCAL:
        return LocalHost(become=backend.become)
    return SshHost(
        address=spec.name,
        user=spec.user or "",
        port=int(spec.port) if spec.port else None,
        private_key=backend.option("ssh_identity_file"),
        config=backend.option("ssh_config"),
        become=backend.become,
    )
