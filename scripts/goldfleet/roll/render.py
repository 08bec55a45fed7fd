"""Steps and outcomes in words, for people; pure."""

from typing import assert_never

from goldfleet.roll.model import (
    Done,
    Halt,
    SetDesiredCapacity,
    SetMaxSize,
    Step,
    Stop,
    TerminateInstance,
    UseLaunch,
    Wait,
)


def describe(step: Step) -> str:
    """Return a step as one line: what, and why."""
    return f"{_what(step)}: {step.why}"


def _what(step: Step) -> str:
    text = type(step).__name__.lower()  # Wait, Halt, Stop, Done
    match step:
        case UseLaunch(fit, _):
            text = f"launch from {fit.launch}"
        case SetDesiredCapacity(desired_capacity, _):
            text = f"set the desired capacity to {desired_capacity}"
        case TerminateInstance(instance_id, decrements, _):
            text = f"terminate {instance_id}{' and lower the desired capacity' if decrements else ''}"
        case SetMaxSize(max_size, _):
            text = f"set the maximum size to {max_size}"
        case Wait() | Halt() | Stop() | Done():
            pass
        case _:
            assert_never(step)
    return text
