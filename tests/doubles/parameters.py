"""SSM parameters in memory, with versions as AWS numbers them."""

import fnmatch
from collections.abc import Sequence

from goldfleet.aws.model import Parameter


class InMemoryParameters:
    """Versions start at 1 and rise by 1 a write; older versions stay readable.

    `faults` maps patterns of "Operation name" to the error that the next such call raises.
    """

    def __init__(self) -> None:
        self.history: dict[str, list[str]] = {}
        self.calls: list[str] = []
        self.faults: dict[str, Exception] = {}

    def get(self, name: str) -> Parameter | None:
        self._called("GetParameter")
        plain, _, version = name.partition(":")
        values = self.history.get(plain, [])
        number = int(version) if version else len(values)
        return Parameter(plain, values[number - 1], number) if 0 < number <= len(values) else None

    def get_many(self, names: Sequence[str]) -> dict[str, Parameter]:
        self._called("GetParameters")
        assert len(names) <= 10
        found = {name: self._newest(name) for name in names}
        return {name: parameter for name, parameter in found.items() if parameter}

    def get_below(self, path: str) -> dict[str, Parameter]:
        self._called("GetParametersByPath")
        below = [name for name in self.history if name.rpartition("/")[0] == path]
        return {name: parameter for name in below if (parameter := self._newest(name))}

    def create(self, name: str, value: str) -> int | None:
        self._called("PutParameter")
        if name in self.history:
            return None
        self.history[name] = [value]
        return 1

    def put(self, name: str, value: str) -> int:
        self._called("PutParameter", name)
        if "{{" in value:
            raise ValueError("Parameter Store reads {{ as a reference to another parameter")
        self.history.setdefault(name, []).append(value)
        return len(self.history[name])

    def value(self, name: str) -> str:
        """Return what a parameter holds now, "" for nothing; not a call."""
        return self.history.get(name, [""])[-1]

    def _newest(self, name: str) -> Parameter | None:
        values = self.history.get(name)
        return Parameter(name, values[-1], len(values)) if values else None

    def _called(self, operation: str, name: str = "") -> None:
        self.calls.append(operation)
        for pattern in list(self.faults):
            if fnmatch.fnmatchcase(f"{operation} {name}", pattern):
                raise self.faults.pop(pattern)
