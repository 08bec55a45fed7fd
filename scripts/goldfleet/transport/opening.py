"""Opens the way to servers, whichever it is for each of them. Only what is needed is imported: each way takes its time."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from goldfleet.transport.model import Cost, Host, Limits, LocalHost, Replies, SshHost, SsmHost, Transport


def open_transport(hosts: Mapping[str, Host], limits: Limits) -> Transport:
    """Return the way to servers, by name; nobody is asked yet.

    Raises GoldfleetError when AWS is needed and its settings are wrong.
    """
    ways: list[tuple[Transport, frozenset[str]]] = []
    if ssh := {name: host for name, host in hosts.items() if isinstance(host, SshHost)}:
        from goldfleet.transport.ssh import SshTransport  # noqa: PLC0415 - see above

        ways.append((SshTransport(ssh, limits), frozenset(ssh)))
    if here := {name: host for name, host in hosts.items() if isinstance(host, LocalHost)}:
        from goldfleet.transport.local import LocalTransport  # noqa: PLC0415 - see above

        ways.append((LocalTransport(here, limits), frozenset(here)))
    if nodes := {name: host for name, host in hosts.items() if isinstance(host, SsmHost)}:
        from goldfleet.transport.ssm import open_ssm  # noqa: PLC0415 - see above

        ways.append((open_ssm(nodes, limits), frozenset(nodes)))
    return ways[0][0] if len(ways) == 1 else _Several(ways)


class _Several:
    """Servers that are reached in several ways."""

    def __init__(self, ways: Sequence[tuple[Transport, frozenset[str]]]) -> None:
        self._ways = ways

    @property
    def cost(self) -> Cost:
        return sum((way.cost for way, _ in self._ways), Cost())

    @property
    def asks_one_first(self) -> bool:
        return any(way.asks_one_first for way, _ in self._ways)

    def ask(self, questions: Mapping[str, Sequence[str]]) -> dict[str, Replies]:
        parts = [(way, {name: some for name, some in questions.items() if name in names}) for way, names in self._ways]
        with ThreadPoolExecutor(max(1, len(parts)), "way") as pool:
            found = list(pool.map(lambda part: part[0].ask(part[1]), parts))
        return {name: reply for one in found for name, reply in one.items()}

    def close(self) -> None:
        for way, _ in self._ways:
            way.close()
