"""Demos as they could have been told: one in which every promise was kept, and one that went wrong."""

from dataclasses import replace
from itertools import count

from goldfleet.demo.events import HealthTimeline, TargetEvent
from goldfleet.demo.facts import BadCheck, CheckRun, DemoFacts, HostChecks, Image, Stage
from goldfleet.demo.steps import Steps
from goldfleet.demo.traffic import Request, RequestLog

START = 1_795_500_000.0
RATE = 60
IMAGE_A = Image("A", "ami-0a1b2c3d4e5f60718", "20261125-0101-a1b2c3")
IMAGE_B = Image("B", "ami-0918273645f0e1d2c", "20261125-0107-d4e5f6")
GROUP = "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/web/0123456789abcdef"
OLD = ("i-0aaa111122223333a", "i-0bbb111122223333b", "i-0ccc111122223333c")
NEW = ("i-0ddd444455556666d", "i-0eee444455556666e", "i-0fff444455556666f")
BACK = ("i-0aaa777788889999a", "i-0bbb777788889999b", "i-0ccc777788889999c")
ROLL_SECONDS = 90.0
ONE_BY_ONE = ROLL_SECONDS / 3
ROLL_BEGINS, ROLLBACK_BEGINS, ENDS = 15.0, 125.0, 230.0


def event(after: float, target: str, state: str, reason: str = "") -> TargetEvent:
    """Return an event so many seconds after the start."""
    return TargetEvent(START + after, target, state, GROUP, reason=reason)


def replacement(begins: float, old: str, new: str) -> list[TargetEvent]:
    """Return the events of one old target replaced by a new one, launch first."""
    return [
        event(begins + 5, new, "initial", "Elb.RegistrationInProgress"),
        event(begins + 9, new, "healthy"),
        event(begins + 22, old, "draining", "Target.DeregistrationInProgress"),
        event(begins + 27, old, "gone", "Target.NotRegistered"),
    ]


def roll(begins: float, old: tuple[str, ...], new: tuple[str, ...]) -> list[TargetEvent]:
    """Return the events of a whole roll, one by one."""
    pairs = enumerate(zip(old, new, strict=True))
    return [found for number, (one, other) in pairs for found in replacement(begins + number * ONE_BY_ONE, one, other)]


def health() -> HealthTimeline:
    """Return a roll from A to B and one back, with three healthy targets or four all the time."""
    first = [event(-60 + number, target, "healthy") for number, target in enumerate(OLD)]
    events = first + roll(ROLL_BEGINS, OLD, NEW) + roll(ROLLBACK_BEGINS, NEW, BACK)
    return HealthTimeline(tuple(sorted(events, key=lambda found: found.time)))


def versions_at(timeline: HealthTimeline, time: float) -> list[str]:
    """Return the version of each healthy target at a moment."""
    return [IMAGE_B.version if target in NEW else IMAGE_A.version for target in sorted(timeline.healthy_at(time))]


def requests(timeline: HealthTimeline, seconds: float = ENDS) -> RequestLog:
    """Return what a steady load meets: the healthy targets in turn."""
    found = []
    for number in count():
        after = number / RATE
        if after >= seconds:
            break
        if number % RATE == 0:
            versions = versions_at(timeline, START + after)
        latency = 0.004 + (number * 7919 % 101) / 20_000
        kind = "kept" if number % 2 else "new"
        found.append(Request(START + after, latency, True, 200, "", versions[number % len(versions)], kind))
    return RequestLog(tuple(found))


def host(number: int, instance_id: str, image: Image) -> HostChecks:
    """Return a host on which everything passed."""
    counts = (("passed", 64), ("skipped", 2))
    return HostChecks(f"10.64.1.{number}", "good", instance_id, image.image_id, counts)


def check_run(title: str, instances: tuple[str, ...], image: Image) -> CheckRun:
    """Return a run of the checks in which every host is proven."""
    return CheckRun(title, tuple(host(10 + number, instance, image) for number, instance in enumerate(instances)))


STAGES = (
    ("local cloud up", -400, -310),
    ("foundation", -310, -280),
    ("bake image 1", -280, -190),
    ("group of three", -190, -60),
    ("verify", -60, -40),
    ("bake image 2", -40, ROLL_BEGINS),
    ("roll", ROLL_BEGINS, ROLL_BEGINS + ROLL_SECONDS),
    ("verify", ROLL_BEGINS + ROLL_SECONDS, ROLLBACK_BEGINS),
    ("roll back", ROLLBACK_BEGINS, ROLLBACK_BEGINS + ROLL_SECONDS),
    ("verify", ROLLBACK_BEGINS + ROLL_SECONDS, ENDS),
)


def told_well() -> DemoFacts:
    """Return a demo in which every promise was kept."""
    timeline = health()
    ceiling = [(0.0, 3), (ROLL_BEGINS, 4), (ROLL_BEGINS + 90, 3), (ROLLBACK_BEGINS, 4), (ROLLBACK_BEGINS + 90, 3)]
    return DemoFacts(
        group="web",
        servers=3,
        rate=RATE,
        images=(IMAGE_A, IMAGE_B),
        rolled="B",
        start=START,
        end=START + ENDS,
        stages=tuple(Stage(title, START + begin, START + end) for title, begin, end in STAGES),
        health=timeline,
        floor=Steps.of((START, 3)),
        ceiling=Steps.of(*((START + after, value) for after, value in ceiling)),
        requests=requests(timeline),
        checks=(
            check_run("Before the roll", OLD, IMAGE_A),
            check_run("After the roll", NEW, IMAGE_B),
            check_run("After the roll back", BACK, IMAGE_A),
        ),
    )


def spoil(request: Request) -> Request:
    """Return the request as it would be with two of three targets dead from second 30 to 37."""
    after = request.time - START
    if 30 <= after < 37 and int(after * RATE) % 3:
        return replace(request, ok=False, status=502, error="status 502", version="")
    if 62 <= after < 62.05:
        return replace(request, ok=False, status=0, error="connection reset", version="", latency=5.0)
    return request


def told_badly() -> DemoFacts:
    """Return a demo in which two servers died in the middle of the roll: requests failed, and the roll stopped."""
    good = told_well()
    kept = [found for found in good.health.events if found.time < START + 30]
    deaths = [
        event(30, OLD[1], "unhealthy", "Target.FailedHealthChecks"),
        event(30.4, OLD[2], "unhealthy", "Target.Timeout"),
    ]
    recovery = [event(47.5, OLD[1], "healthy"), event(47.5, OLD[2], "healthy")]
    failed = BadCheck("test_web_stack::test_page", "assert 502 == 200\n +  where 502 = <script>alert('no')</script>")
    hosts = (
        host(10, OLD[0], IMAGE_A),
        replace(
            host(11, OLD[1], IMAGE_A),
            verdict="failed",
            counts=(("failed", 1), ("passed", 63), ("skipped", 2)),
            bad=(failed,),
        ),
        HostChecks("10.64.1.12", "unreachable", OLD[2], IMAGE_A.image_id, unreachable="connection refused on port 22"),
    )
    stages = tuple(stage for stage in good.stages if stage.start < START + 15)
    return replace(
        good,
        end=START + 105,
        stages=(*stages, Stage("roll", START + ROLL_BEGINS, START + 105)),
        health=HealthTimeline((*kept, *deaths, *recovery)),
        requests=RequestLog(tuple(spoil(request) for request in good.requests.requests if request.time < START + 105)),
        checks=(good.checks[0], CheckRun("After the roll", hosts)),
        problem="`goldfleet roll start web` exited with 5: 2 of 3 old instances are unhealthy; no step was taken.",
    )
