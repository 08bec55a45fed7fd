"""The servers of an Auto Scaling group for a plain pytest, which names them goldfleet://asg/NAME.

The settings are those of goldfleet.toml in the folder where pytest runs.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue

from goldfleet.aws.autoscaling import AutoScaling
from goldfleet.aws.model import Instance
from goldfleet.aws.session import open_session
from goldfleet.config.overrides import with_options
from goldfleet.config.reading import load_settings
from goldfleet.errors import UsageError
from goldfleet.stop import StopFlag
from goldfleet.transport.model import Host
from goldfleet.verify.fleet import MOST_CONSOLES, describe_instances
from goldfleet.verify.members import choose_members
from goldfleet.verify.reach import Reach, Unreachable
from goldfleet.verify.wanted import Wanted
from goldfleet.verify.wiring import Run, build_world


@dataclass(frozen=True)
class GroupHosts:
    """The servers in service, by instance id; those that cannot be reached, and why; and what is wanted of all of them."""

    hosts: Mapping[str, Host] = field(default_factory=dict)
    trouble: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, JsonValue] = field(default_factory=dict)

    @property
    def servers(self) -> tuple[str, ...]:
        """Return the ids of all of them."""
        return (*self.hosts, *self.trouble)


def find_group_hosts(project: Path, name: str, transport: str | None = None) -> GroupHosts:
    """Return the servers of a group that are in service; `transport` is how they are reached, if not as the settings say.

    Raises GoldfleetError where nothing can be verified: no such group, no server in service, wrong settings, AWS's own
    errors; and UsageError where servers are of several images of which not the same is wanted.
    """
    settings, session = load_settings(project), open_session()
    _, image = settings.pick_image_of(name)
    group = with_options(settings.pick_group(name), {"verify_transport": transport})
    world = build_world(Run(project, "", StopFlag(), group=name), group, image, session)
    groups = AutoScaling(session.autoscaling())
    found = groups.group(name)
    members = choose_members(name, found, () if found else groups.group_names())
    seen = describe_instances(world.machines, members.checked)
    instances = [seen.get(one, Instance(one, state="")) for one in members.checked]
    wanted = _one_of(name, world.wanted.read(sorted({one.image_id for one in seen.values()})))
    with ThreadPoolExecutor(MOST_CONSOLES, "console") as pool:
        ways = dict(zip(members.checked, pool.map(lambda one: _way(world.reach, one), instances), strict=True))
    return GroupHosts(
        {one: way for one, way in ways.items() if not isinstance(way, Unreachable)},
        {one: way.why for one, way in ways.items() if isinstance(way, Unreachable)},
        wanted,
    )


def _way(reach: Reach, instance: Instance) -> Host | Unreachable:
    return reach.look(instance) or reach.wait(instance)


def _one_of(name: str, wanted: Mapping[str, Wanted]) -> Mapping[str, JsonValue]:
    found = [one.variables for one in wanted.values()]
    if any(one != found[0] for one in found):
        raise UsageError(
            f"Servers of {name} are of several images ({', '.join(sorted(wanted))}), of which not the same is wanted.",
            f"One pytest has one set of variables: use `goldfleet verify {name}`.",
        )
    return found[0] if found else {}
