from dataclasses import replace

import pytest

from goldfleet import tags
from goldfleet.aws.model import Image
from goldfleet.bake.decide import decide, decide_plain, differences
from goldfleet.bake.facts import digests_of, shown_of
from goldfleet.bake.model import Bake, CheckCounts, Component, Facts, Inputs, NothingToDo, Pointers, Publish, Shelf

COMPONENTS = (
    Component("base AMI", "1" * 64, "ami-1"),
    Component("role web_stack", "2" * 64),
    Component("variable greeting", "3" * 64, "'hello'"),
    Component("variable db_password", "4" * 64),
)
INPUTS = Inputs(COMPONENTS, "f" * 64)
TIME = "2026-11-23T14:15:30Z"


def image_of(image_id: str, fingerprint: str = INPUTS.fingerprint, **more: str) -> Image:
    image_tags = {tags.IMAGE: "app", tags.FINGERPRINT: fingerprint, tags.VERIFIED: TIME, **more}
    return Image(image_id, f"goldfleet-app-{image_id}", "available", "x86_64", "2026", (), image_tags)


def facts_of(image_id: str, components: tuple[Component, ...] = COMPONENTS) -> Facts:
    checks = CheckCounts(1)
    shown = (digests_of(components), shown_of(components))
    return Facts("app", image_id, "run", "f" * 64, "ami-1", "", TIME, checks, *shown)


def shelf_of(*images: Image, current: str = "", previous: str = "", facts: tuple[Facts, ...] = ()) -> Shelf:
    return Shelf(images, Pointers(current, previous), {one.image_id: one for one in facts})


NEW = image_of("ami-new")
OLD = image_of("ami-old", "0" * 64)


@pytest.mark.parametrize(
    ("shelf", "decision"),
    [
        (shelf_of(), Bake(("no verified image yet",))),
        (shelf_of(NEW, current="ami-new"), NothingToDo("ami-new", "ami-new has these inputs")),
        (
            shelf_of(replace(NEW, state="pending"), current="ami-new"),
            Bake(("no verified image yet",)),
        ),
        (
            shelf_of(image_of("ami-new", **{tags.VERIFIED: "failed"})),
            Bake(("no verified image yet",)),
        ),
        (
            shelf_of(NEW),
            Publish("ami-new", "ami-new has these inputs and is verified, but current is not set"),
        ),
        (
            shelf_of(NEW, OLD, current="ami-old"),
            Publish("ami-new", "ami-new has these inputs and is verified, but current is ami-old"),
        ),
        (
            shelf_of(image_of("ami-new", **{tags.ROLLED_BACK: TIME}), OLD, current="ami-old", previous="ami-new"),
            NothingToDo("ami-new", f"ami-new has these inputs and was rolled back at {TIME} to ami-old"),
        ),
        (
            shelf_of(image_of("ami-newer"), NEW, current="ami-new"),
            NothingToDo("ami-new", "ami-new has these inputs"),
        ),
        (
            shelf_of(OLD, current="ami-old"),
            Bake(("the inputs differ from those of ami-old, of which no details are kept",)),
        ),
    ],
    ids=[
        "nothing there",
        "current has these inputs",
        "image is pending",
        "image failed its verification",
        "publishing was interrupted before any pointer",
        "publishing was interrupted, or the inputs changed back",
        "an operator rolled back",
        "a second image with the same inputs",
        "no facts are kept",
    ],
)
def test_decision(shelf: Shelf, decision: Bake | Publish | NothingToDo) -> None:
    assert decide(INPUTS, shelf) == decision


def test_reasons_compare_with_the_current_image_not_the_newest() -> None:
    other = (Component("base AMI", "9" * 64, "ami-9"), *COMPONENTS[1:])
    current = (*COMPONENTS[:1], Component("role web_stack", "7" * 64), *COMPONENTS[2:])
    facts = (facts_of("ami-newest", other), facts_of("ami-old", current))
    shelf = shelf_of(image_of("ami-newest", "8" * 64), OLD, current="ami-old", facts=facts)
    assert decide(INPUTS, shelf) == Bake(("role web_stack changed",))


def test_plain_bake_bakes_although_nothing_changed() -> None:
    shelf = shelf_of(NEW, current="ami-new")
    assert decide_plain(INPUTS, shelf) == Bake(("asked for, with the same inputs as before",))
    assert decide_plain(INPUTS, shelf_of()) == Bake(("no verified image yet",))


@pytest.mark.parametrize(
    ("before", "reasons"),
    [
        (COMPONENTS, ()),
        ((Component("base AMI", "9" * 64, "ami-0"), *COMPONENTS[1:]), ("base AMI ami-0 -> ami-1",)),
        ((*COMPONENTS[:2], Component("variable greeting", "9" * 64, "'hi'"), COMPONENTS[3]),
         ("variable greeting: 'hi' -> 'hello'",)),
        ((*COMPONENTS[:3], Component("variable db_password", "9" * 64)), ("variable db_password changed",)),
        (COMPONENTS[:2] + COMPONENTS[3:], ("variable greeting added: 'hello'",)),
        ((COMPONENTS[0], *COMPONENTS[2:]), ("role web_stack added",)),
        ((*COMPONENTS, Component("role base", "9" * 64)), ("role base removed",)),
        ((*COMPONENTS[:2], Component("variable greeting", "9" * 64, "'hello'"), COMPONENTS[3]),
         ("variable greeting changed",)),
    ],
    ids=["same", "base AMI", "variable", "secret", "new variable", "new role", "role gone", "cut alike"],
)  # fmt: skip
def test_differences_are_named(before: tuple[Component, ...], reasons: tuple[str, ...]) -> None:
    assert differences(COMPONENTS, facts_of("ami-old", before)) == reasons
