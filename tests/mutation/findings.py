"""What proves a mutant wrong."""

from dataclasses import dataclass

CONVERGE, SPEC, SECOND_RUN, RESTART, PREVIEW, SETTINGS = (
    "converge",
    "spec",
    "second run",
    "restart",
    "preview",
    "settings test",
)


@dataclass(frozen=True)
class Finding:
    """What proved a mutant wrong: the kind of proof, which one, and in which step of the trial."""

    kind: str
    proof: str
    step: str
