"""The words of a bake, as frozen values. Pure: no files, no AWS, no clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from goldfleet.aws.model import Image


@dataclass(frozen=True)
class FileDigest:
    """One file of a component: its path inside the component, whether it is executable, and its content's hash."""

    path: str
    is_executable: bool
    sha256: str


@dataclass(frozen=True)
class Component:
    """One named input of an image: `role web_stack`, `base AMI`, `variable web_stack_domain`, …

    `shown` is the value in a form for people, for inputs that are one value; None for files and for secrets.
    """

    name: str
    digest: str
    shown: str | None = None


@dataclass(frozen=True)
class Inputs:
    """Everything that goes into an image, and the fingerprint of it all."""

    components: tuple[Component, ...]
    fingerprint: str


@dataclass(frozen=True)
class CheckCounts:
    """How many checks a verification ran, by outcome."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0


@dataclass(frozen=True)
class Facts:
    """What is kept about a published image, small enough for an SSM parameter.

    `digests` holds the shortened digest of each component, `shown` the value of those that have one.
    """

    image: str
    image_id: str
    run: str
    fingerprint: str
    source_ami: str
    commit: str
    verified_at: str
    checks: CheckCounts
    digests: Mapping[str, str] = field(default_factory=dict)
    shown: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Pointers:
    """Which AMI of an image is current and which was before; "" for none."""

    current: str = ""
    previous: str = ""


@dataclass(frozen=True)
class Shelf:
    """What AWS holds of one image: its AMIs, the newest first, its pointers, and the facts that could be read."""

    images: tuple[Image, ...]
    pointers: Pointers
    facts: Mapping[str, Facts]


@dataclass(frozen=True)
class Bake:
    """A new image is needed."""

    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Publish:
    """A verified AMI with these very inputs exists, and only the pointers have to move."""

    image_id: str
    why: str


@dataclass(frozen=True)
class NothingToDo:
    """The image that is wanted exists."""

    image_id: str
    why: str


Decision = Bake | Publish | NothingToDo


class Stage(Enum):
    """The stages of a bake, in order; the value is what people read."""

    LEASE = "lease"
    DECIDE = "decide"
    BUILD = "build"
    BOOT = "boot a copy"
    VERIFY = "verify"
    PUBLISH = "publish"
    CLEAN_UP = "clean up"


@dataclass(frozen=True)
class StageTime:
    """How long a stage took, and how it ended: done or failed."""

    stage: Stage
    seconds: float
    outcome: str


@dataclass(frozen=True)
class Outcome:
    """What a bake did. `action` is one of baked, published, nothing to do.

    When it baked, `reports` is its folder of reports, and `documents` are the files in there that the image has too:
    its manifest and its SBOM. Both are relative to the project.
    """

    action: str
    image: str
    image_id: str
    run: str
    fingerprint: str
    source_ami: str
    reasons: tuple[str, ...]
    checks: CheckCounts = CheckCounts()
    reports: str = ""
    documents: tuple[str, ...] = ()
