"""EC2 as the checks of a fleet see it: instances, and consoles that show host keys or nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from goldfleet.aws.model import Instance
from tests.doubles.account import CONSOLE


@dataclass
class RunningMachines:
    """Instances by id. `silent` are ids whose consoles show nothing; `faults` maps ids to what their consoles raise."""

    known: dict[str, Instance]
    silent: tuple[str, ...] = ()
    faults: Mapping[str, Exception] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    fault: Exception | None = None
    """What every look at the instances raises."""

    def instances(self, filters: Mapping[str, Sequence[str]]) -> tuple[Instance, ...]:
        self.calls.append("DescribeInstances")
        if self.fault is not None:
            raise self.fault
        wanted = filters["instance-id"]
        assert 0 < len(wanted) <= 200
        return tuple(self.known[one] for one in wanted if one in self.known)

    def console_output(self, instance_id: str) -> str:
        if instance_id in self.faults:
            raise self.faults[instance_id]
        return "" if instance_id in self.silent else CONSOLE


def machines_of(*instance_ids: str, image_id: str = "ami-1", state: str = "running") -> RunningMachines:
    """Return machines, each with an address of its own."""
    return RunningMachines(
        {
            one: Instance(one, state, image_id, private_ip_address=f"10.0.0.{number}")
            for number, one in enumerate(instance_ids, 1)
        }
    )
