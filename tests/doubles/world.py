"""A whole world for a bake, in memory but for the project's files."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from goldfleet import tags
from goldfleet.bake.drive import bake
from goldfleet.bake.model import Outcome
from goldfleet.bake.ports import BakeRequest, World
from goldfleet.config.overrides import with_variables
from goldfleet.config.reading import load_settings
from tests.doubles.account import InMemoryAccount
from tests.doubles.checks import ChecksThatPass
from tests.doubles.clock import VirtualClock
from tests.doubles.packer import WorkingPacker
from tests.doubles.parameters import InMemoryParameters
from tests.doubles.progress import RecordingProgress


def write_key_pair(path: Path, comment: str) -> str:
    """Write a stand-in for a private key and return a stand-in for a public one."""
    path.write_text("private")
    path.with_suffix(".pub").write_text("public")
    return f"ssh-ed25519 AAAA {comment}"


@dataclass
class Bakery:
    """A project, an account with a base AMI, and a bake at hand."""

    project: Path
    clock: VirtualClock = field(default_factory=VirtualClock)
    parameters: InMemoryParameters = field(default_factory=InMemoryParameters)
    progress: RecordingProgress = field(default_factory=RecordingProgress)
    bakes: int = 0

    def __post_init__(self) -> None:
        self.account = InMemoryAccount(self.clock)
        self.account.add_base_ami()
        self.packer = WorkingPacker(self.account)
        self.checks = ChecksThatPass()
        self.replaced: dict[str, Any] = {}

    def bake(self, if_changed: bool = False, **variables: Any) -> Outcome:
        """Bake `app` with some variables."""
        name, settings = load_settings(self.project).pick_image(None)
        request = BakeRequest(self.project, name, with_variables(settings, variables), if_changed)
        self.bakes += 1
        return bake(request, replace(self._world(), **self.replaced))

    def _world(self) -> World:
        return World(
            cloud=self.account,
            parameters=self.parameters,
            builder=self.packer,
            checks=self.checks,
            progress=self.progress,
            clock=self.clock,
            patient_clock=self.clock,
            make_key_pair=write_key_pair,
            random_hex=lambda digits: f"{self.bakes:0{digits}x}",
            owner=lambda: "ann@laptop",
            commit=lambda: "0123abcd-dirty",
            collections_path=(),
        )

    @property
    def calls(self) -> list[str]:
        """Return every API call so far."""
        return [*self.account.calls, *self.parameters.calls]

    @property
    def current(self) -> str:
        """Return what the pointer `current` says."""
        return self.parameters.value(tags.current_parameter("app"))

    @property
    def previous(self) -> str:
        """Return what the pointer `previous` says."""
        return self.parameters.value(tags.previous_parameter("app"))

    def own_images(self) -> list[str]:
        """Return the ids of all AMIs but base AMIs."""
        return [image.image_id for image in self.account.images.values() if image.name.startswith("goldfleet-")]
