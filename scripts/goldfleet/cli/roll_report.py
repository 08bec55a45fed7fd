"""How `goldfleet roll` prints what was done, what would be done, and what is: words for people, or one JSON document."""

from typing import TYPE_CHECKING, Any

from goldfleet.cli.output import UnfinishedError, print_json, print_table

if TYPE_CHECKING:
    from goldfleet.aws.session import AwsSession
    from goldfleet.roll.model import Outcome
    from goldfleet.roll.report import Plan, Status


def show_outcome(outcome: "Outcome", session: "AwsSession", as_json: bool) -> None:
    """Print what a command did; raise UnfinishedError when the fleet was rolled back."""
    from goldfleet.errors import RolledBackError

    facts = outcome_document(outcome, session.counter.by_operation())
    if not as_json:
        print_outcome(outcome, session.counter.total)
    if outcome.action == "rolled back":
        error = RolledBackError(
            f"{outcome.group} was rolled back: the fleet is on the previous image {outcome.image_id}."
        )
        raise UnfinishedError(error, facts)
    if as_json:
        print_json(facts)


def outcome_document(outcome: "Outcome", aws_calls: dict[str, int]) -> dict[str, Any]:
    """Return what a command did as plain JSON values."""
    from dataclasses import asdict

    calls = {"aws_calls": sum(aws_calls.values()), "aws_calls_by_operation": aws_calls}
    return {**asdict(outcome), "seconds": round(outcome.seconds, 3), **calls}


def print_outcome(outcome: "Outcome", aws_calls: int) -> None:
    """Print what a command did on stdout."""
    for note in outcome.notes:
        print(note)
    if outcome.action == "nothing to do":
        print(f"nothing to do: {outcome.group} launches {outcome.image_id} from {outcome.launch}")
        return
    print(
        f"{outcome.group}: {outcome.action} in {outcome.seconds:.1f} s, {outcome.replaced} instances replaced, "
        f"launches from {outcome.launch}, {aws_calls} AWS calls"
    )


def show_plan(made: "Plan", as_json: bool) -> None:
    """Print a plan; raise UnfinishedError when something speaks against the roll."""
    from goldfleet.roll.opening import refusal
    from goldfleet.roll.render import describe

    lines = [describe(step) for step in made.steps]
    facts = {
        "group": made.group,
        "image_id": made.target_image_id,
        "current_image_id": made.current.image_id,
        "current_launch": str(made.current.launch),
        "target_launch": str(made.target) if made.target else None,
        "obstacles": list(made.obstacles),
        "notes": list(made.notes),
        "steps": lines,
    }
    if made.obstacles:
        raise UnfinishedError(refusal(made.group, made.obstacles), facts)
    if as_json:
        print_json(facts)
        return
    if not made.steps:
        print(f"nothing to do: {made.group} launches {made.current.image_id} from {made.current.launch}")
        return
    target = str(made.target) if made.target else "a new copy of it, made at the start"
    print(f"{made.group}: {made.current.image_id} ({made.current.launch}) -> {made.target_image_id} ({target})")
    print("Only the first step is certain: each later one depends on what is then seen.")
    for line in (*made.notes, *(f"{number:3}. {line}" for number, line in enumerate(lines, 1))):
        print(line)


def show_status(seen: "Status", as_json: bool) -> None:
    """Print how a group and its roll are."""
    facts = status_document(seen)
    if as_json:
        print_json(facts)
        return
    print_table(("", ""), ((key.replace("_", " "), _shown(value)) for key, value in facts.items()))


def status_document(seen: "Status") -> dict[str, Any]:
    """Return a group's state as plain JSON values."""
    from goldfleet.roll.record import encode_roll

    roll = seen.roll
    return {
        "group": seen.group,
        "roll": None if roll is None else roll.state.value,
        "min_size": seen.min_size,
        "max_size": seen.max_size,
        "desired_capacity": seen.desired_capacity,
        "serving": seen.serving,
        "launch": str(seen.launch),
        "of_target": seen.count.target if roll else None,
        "of_previous": seen.count.previous if roll else None,
        "of_others": seen.count.others if roll else None,
        "previous_image_id": seen.previous.image_id if seen.previous else None,
        "holder": seen.holder or None,
        "notes": list(seen.notes),
        "tags": encode_roll(roll) if roll else {},
    }


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key.rpartition(':')[2]}={one}" for key, one in value.items()) or "-"
    if isinstance(value, list):
        return " ".join(value) or "-"
    return "-" if value is None else str(value)
