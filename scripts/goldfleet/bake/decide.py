"""Is a new image needed, and why? Pure: compares what would go in with what AWS holds; calls nothing."""

from collections.abc import Iterator

from goldfleet import tags
from goldfleet.aws.model import Image
from goldfleet.bake.facts import LONGEST_SHOWN, shorten
from goldfleet.bake.model import Bake, Component, Decision, Facts, Inputs, NothingToDo, Publish, Shelf


def decide(inputs: Inputs, shelf: Shelf) -> Decision:
    """Return what `bake --if-changed` has to do.

    An AMI counts when it is available, verified, and its fingerprint is that of the inputs. One that an operator
    rolled back is not published again by a schedule: only a plain bake goes over an operator's decision.
    """
    matches = [image for image in _usable(shelf) if image.tags.get(tags.FINGERPRINT) == inputs.fingerprint]
    if not matches:
        return Bake(_reasons(inputs, shelf))
    current = shelf.pointers.current
    if any(image.image_id == current for image in matches):
        return NothingToDo(current, f"{current} has these inputs")
    newest = matches[0]
    if rolled_back := newest.tags.get(tags.ROLLED_BACK):
        return NothingToDo(
            newest.image_id, f"{newest.image_id} has these inputs and was rolled back at {rolled_back} to {current}"
        )
    return Publish(
        newest.image_id, f"{newest.image_id} has these inputs and is verified, but current is {current or 'not set'}"
    )


def decide_plain(inputs: Inputs, shelf: Shelf) -> Bake:
    """Return what a plain `bake` does, which is to bake; with what changed, when something did."""
    decision = decide(inputs, shelf)
    return decision if isinstance(decision, Bake) else Bake(("asked for, with the same inputs as before",))


def differences(components: tuple[Component, ...], facts: Facts) -> tuple[str, ...]:
    """Return which inputs differ from those of an image, one phrase each, in the order of the components."""
    return tuple(_differences(components, facts))


def _usable(shelf: Shelf) -> list[Image]:
    return [image for image in shelf.images if image.state == "available" and tags.is_verified(image.tags)]


def _reasons(inputs: Inputs, shelf: Shelf) -> tuple[str, ...]:
    usable = [image.image_id for image in _usable(shelf)]
    if not usable:
        return ("no verified image yet",)
    baseline = shelf.pointers.current if shelf.pointers.current in usable else usable[0]
    facts = shelf.facts.get(baseline)
    if facts is None or not facts.digests:
        return (f"the inputs differ from those of {baseline}, of which no details are kept",)
    return differences(inputs.components, facts) or (f"the inputs differ from those of {baseline}",)


def _differences(components: tuple[Component, ...], facts: Facts) -> Iterator[str]:
    for component in components:
        old = facts.digests.get(component.name)
        if old is None:
            yield _added(component)
        elif not component.digest.startswith(old):
            yield _changed(component, facts.shown.get(component.name))
    for name in sorted(facts.digests.keys() - {component.name for component in components}):
        yield f"{name} removed"


def _added(component: Component) -> str:
    if component.shown is None:
        return f"{component.name} added"
    return f"{component.name} added: {shorten(component.shown, LONGEST_SHOWN)}"


def _changed(component: Component, old_shown: str | None) -> str:
    shown = None if component.shown is None else shorten(component.shown, LONGEST_SHOWN)
    if shown is None or old_shown is None or shown == old_shown:
        return f"{component.name} changed"
    colon = ":" if component.name.startswith("variable ") else ""
    return f"{component.name}{colon} {old_shown} -> {shown}"
