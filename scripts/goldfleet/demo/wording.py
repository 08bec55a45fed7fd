"""The page's sentences: what happened, in numbers, and what a picture shows for whoever cannot see it. Pure."""

from collections.abc import Iterable

from goldfleet.demo.facts import CheckRun, DemoFacts
from goldfleet.demo.steps import Stretch

COLOURS = 4  # the style sheet has so many; further versions share the last


def headline(facts: DemoFacts) -> str:
    """Return the verdict in one sentence."""
    verb = "Rolled" if not facts.problem else "Did not finish rolling"
    servers = count_of(facts.servers, "server")
    sent, failed = f"{facts.requests.sent:,}", f"{facts.requests.failed:,}"
    return (
        f"{verb} image {facts.rolled} through {servers} under {facts.rate:g} requests/s: "
        f"{failed} of {sent} requests failed, {lowest_phrase(facts)}"
    )


def lowest_phrase(facts: DemoFacts) -> str:
    """Return how few targets were healthy, and whether that was fewer than promised."""
    lowest, below = count_of(facts.lowest_healthy, "healthy target"), facts.below_floor
    if not below:
        return f"never fewer than {lowest}"
    return f"{seconds_of(below):.1f} s below the floor, at the lowest {lowest}"


def findings(facts: DemoFacts) -> tuple[str, ...]:
    """Return everything that went wrong, a sentence each; nothing when all is good."""
    found = [facts.problem] if facts.problem else []
    if not facts.requests.sent:
        found.append("No request was sent.")
    for failure in facts.requests.failures:
        first = elapsed(failure.first - facts.start)
        found.append(f"{count_of(failure.count, 'request')} failed: {failure.error}, first at {first}.")
    for low in facts.below_floor:
        seen, promised = count_of(low.value or 0, "healthy target"), facts.floor.value_at(low.start)
        times = f"for {low.end - low.start:.1f} s from {elapsed(low.start - facts.start)}"
        found.append(f"Only {seen} {times}, where the floor was {promised}.")
    return (*found, *(fault for run in facts.checks for fault in check_faults(run)))


def check_faults(run: CheckRun) -> list[str]:
    """Return what a run of the checks found, a sentence for each host that is not proven."""
    if not run.hosts:
        return [f"{run.title}: there was no host to check."]
    return [
        f"{run.title}: {host.instance_id or host.host} is {host.verdict}"
        + (f" ({host.unreachable})." if host.unreachable else f", {count_of(len(host.bad), 'check')} failed.")
        for host in run.hosts
        if not host.is_good
    ]


def describe_capacity(facts: DemoFacts) -> str:
    """Return what the picture of capacity shows."""
    start, end, below = facts.start, facts.end, facts.below_floor
    highest = facts.healthy.highest(start, end)
    return (
        f"Healthy targets over {elapsed(end - start)} (minutes:seconds): at the lowest {facts.lowest_healthy}, "
        f"at the highest {highest}. Floor {span_of(facts.floor.stretches(start, end))}, "
        f"ceiling {span_of(facts.ceiling.stretches(start, end))}. "
        + (f"{seconds_of(below):.1f} s below the floor." if below else "Never below the floor.")
    )


def describe_requests(facts: DemoFacts) -> str:
    """Return what the picture of requests shows."""
    sentences = ["Requests per second by the version that answered."]
    for seen in facts.requests.versions:
        times = f"from {elapsed(seen.first - facts.start)} to {elapsed(seen.last - facts.start)}"
        sentences.append(f"{version_name(facts, seen.version)}: {count_of(seen.count, 'request')} {times}.")
    return " ".join([*sentences, f"{facts.requests.failed:,} failed."])


def describe_targets(facts: DemoFacts) -> str:
    """Return what the picture of the targets shows."""
    count = len({event.target for event in facts.health.events})
    return f"{count_of(count, 'target')} of the load balancer over time, each from its registration to its removal, by state."


def version_name(facts: DemoFacts, version: str) -> str:
    """Return what the page calls a version: its image if one has it, else the version itself."""
    image = facts.image_of_version(version)
    return f"image {image.label}" if image else (version or "no version")


def colour_of(facts: DemoFacts, version: str) -> int:
    """Return the number of a version's colour, from 0: its image's place, or one after all images."""
    place = next((place for place, image in enumerate(facts.images) if image.version == version), len(facts.images))
    return min(place, COLOURS - 1)


def span_of(stretches: Iterable[Stretch]) -> str:
    """Return the values of some stretches in words: one number, or from the lowest to the highest."""
    values = sorted({stretch.value for stretch in stretches if stretch.value is not None})
    if not values:
        return "not set"
    return str(values[0]) if len(values) == 1 else f"{values[0]} to {values[-1]}"


def seconds_of(stretches: Iterable[Stretch]) -> float:
    """Return how long some stretches last in all."""
    return sum(stretch.end - stretch.start for stretch in stretches)


def count_of(count: int, noun: str) -> str:
    """Return a number with its noun: 1 server, 3 servers."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def elapsed(seconds: float) -> str:
    """Return a time since the start as minutes:seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
