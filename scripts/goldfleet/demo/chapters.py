"""The chapters of the demo: what is run, in which order, and what of it goes on the page.

A golden image is baked, a fleet is built from it and proven; a role variable changes, a second image is baked and rolled
through the fleet under load; then the roll is taken back. Neighbours: story, which runs commands; facts, which the page shows.
"""

import json
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from goldfleet.demo.facts import DemoFacts, Image, parse_checks
from goldfleet.demo.logs import read_events, read_requests
from goldfleet.demo.steps import Steps
from goldfleet.demo.story import Story
from goldfleet.errors import GoldfleetError, VerificationError
from goldfleet.ssh.keys import make_key_pair

GROUP = "web"
SERVERS = 3
SURGE = 1
RATE = 60.0
WARM_UP_SECONDS = 5
CHANGED_VARIABLE = "web_stack_greeting"
CHANGED_VALUE = "Hello from image 2."
BODY = r"Image version: ([^<\s]+)"
HEALTHY_SECONDS = 120.0
ROLLED_BACK = 7
LOAD_ENDS_SECONDS = 30


@dataclass(frozen=True)
class Setting:
    """Where the demo plays: the range from which servers may be reached by SSH, the balancer's log, the launch kind."""

    ssh_source_cidr: str
    events: Path
    launch_kind: str = "template"


@dataclass
class Telling:
    """What the chapters hand on to one another."""

    story: Story
    setting: Setting
    documents: dict[str, Any] = field(default_factory=dict)
    load: "subprocess.Popen[str] | None" = None
    load_started: float = 0.0
    load_ended: float = 0.0
    load_summary: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> Path:
        """The private key of the fleet's key pair."""
        return self.story.logs / "fleet.key"

    @property
    def requests(self) -> Path:
        """The load's record."""
        return self.story.logs / "requests.jsonl"


def tell(telling: Telling) -> None:
    """Run all chapters in their order."""
    bake_first(telling)
    build_fleet(telling)
    verify(telling, "verify the fleet", "verify-1")
    bake_second(telling)
    begin_load(telling)
    roll(telling)
    verify(telling, "verify the rolled fleet", "verify-2")
    roll_back(telling)
    end_load(telling)
    verify(telling, "verify the fleet that is back", "verify-3")


def bake_first(telling: Telling) -> None:
    """Bake image 1, and find that a second bake has nothing to do."""
    story = telling.story
    with story.chapter("bake image 1"):
        telling.documents["image 1"] = story.goldfleet("bake", log_name="bake-1")
    tell_bake(story, telling.documents["image 1"])
    with story.chapter("bake again, nothing changed"):
        again = story.goldfleet("bake", "--if-changed", log_name="bake-unchanged")
    telling.documents["again"] = again
    story.say(f"  {again['action']}: {again['reasons'][0]} ({again['aws_calls']} AWS calls)")


def build_fleet(telling: Telling) -> None:
    """Build the account's part with foundation.yml, and wait until the balancer finds all servers healthy."""
    story, setting = telling.story, telling.setting
    for file in (telling.key, Path(f"{telling.key}.pub")):
        file.unlink(missing_ok=True)
    public_key = make_key_pair(telling.key, "goldfleet demo")
    variables = {
        "aws_foundation_group": GROUP,
        "aws_foundation_desired_capacity": SERVERS,
        "aws_foundation_public_key": public_key,
        "aws_foundation_ssh_source_cidrs": [setting.ssh_source_cidr],
        "aws_foundation_launch_kind": setting.launch_kind,
        "aws_foundation_http_redirects": False,
    }
    with story.chapter("foundation.yml: IAM, security groups, load balancer, group"):
        story.run(
            ("ansible-playbook", "playbooks/foundation.yml", "--extra-vars", json.dumps(variables)), "foundation"
        )  # fmt: skip
    with story.chapter(f"{SERVERS} servers healthy behind the load balancer"):
        wait_until_healthy(telling)


def wait_until_healthy(telling: Telling) -> None:
    """Wait for the balancer's word that every server is healthy.

    Raises VerificationError when that takes too long.
    """
    deadline = time.monotonic() + HEALTHY_SECONDS
    while time.monotonic() < deadline:
        telling.story.stop.check()
        if len(read_events(telling.setting.events).healthy_at(time.time())) >= SERVERS:
            return
        time.sleep(0.3)
    raise VerificationError(f"The load balancer did not find {SERVERS} healthy servers within {HEALTHY_SECONDS:.0f} s.")


def verify(telling: Telling, title: str, log_name: str) -> None:
    """Prove every server of the group."""
    story = telling.story
    with story.chapter(title):
        document = story.goldfleet("verify", GROUP, "--ssh-private-key", str(telling.key), log_name=log_name)
    telling.documents[title] = document
    story.say(f"  {document['passed']} checks passed on {len(document['hosts'])} servers")


def bake_second(telling: Telling) -> None:
    """Change a role variable and bake image 2; tell in what the images differ."""
    story = telling.story
    with story.chapter(f"change {CHANGED_VARIABLE}, bake image 2"):
        changed = f"{CHANGED_VARIABLE}={CHANGED_VALUE}"
        telling.documents["image 2"] = story.goldfleet("bake", "--if-changed", "--var", changed, log_name="bake-2")
    tell_bake(story, telling.documents["image 2"])
    baked = [telling.documents[name] for name in ("image 1", "image 2")]
    shown = [story.goldfleet("images", "show", bake["image_id"], log_name="show") for bake in baked]
    telling.documents["differences"] = differing(*shown)
    for difference in telling.documents["differences"]:
        story.say(f"  differs: {difference}")


def begin_load(telling: Telling) -> None:
    """Start to send requests through the load balancer."""
    telling.requests.unlink(missing_ok=True)
    url = f"http://{balancer_address(telling.story)}/"
    telling.load_started = time.time()
    telling.load = telling.story.start(
        "-m", "goldfleet.demo.load", "--url", url, "--rate", f"{RATE:g}", "--expect-body-regex", BODY,
        "--out", str(telling.requests),
    )  # fmt: skip
    telling.story.say(f"{RATE:g} requests a second go to {url} from here on")


def balancer_address(story: Story) -> str:
    """Return the load balancer's DNS name, as AWS describes it."""
    described = story.run(("aws", "elbv2", "describe-load-balancers", "--output", "json"), "describe-load-balancers")
    return str(json.loads(described)["LoadBalancers"][0]["DNSName"])


def roll(telling: Telling) -> None:
    """Roll image 2 through the group."""
    story = telling.story
    with story.chapter("roll image 2 through the fleet under load"):
        telling.documents["roll"] = story.goldfleet(
            "roll", "start", GROUP, "--surge", str(SURGE), "--warm-up", str(WARM_UP_SECONDS),
            "--ssh-private-key", str(telling.key), log_name="roll",
        )  # fmt: skip


def roll_back(telling: Telling) -> None:
    """Take the roll back: image 1 is rolled through the group."""
    story = telling.story
    with story.chapter("roll back to image 1 under load"):
        telling.documents["rollback"] = story.goldfleet(
            "roll", "rollback", GROUP, "--surge", str(SURGE), "--warm-up", str(WARM_UP_SECONDS),
            "--ssh-private-key", str(telling.key), log_name="rollback", expected_code=ROLLED_BACK,
        )  # fmt: skip


def end_load(telling: Telling) -> None:
    """Stop the load and keep its summary."""
    load, telling.load, telling.load_ended = telling.load, None, time.time()
    if load is None:
        return
    load.terminate()
    try:
        printed, _ = load.communicate(timeout=LOAD_ENDS_SECONDS)
        telling.load_summary = json.loads(printed.splitlines()[-1])
    except (subprocess.TimeoutExpired, ValueError, IndexError) as error:
        raise VerificationError(
            f"The load did not end well (exit code {load.poll()}): nobody knows how many requests failed."
        ) from error


def tell_bake(story: Story, bake: Mapping[str, Any]) -> None:
    """Say why a bake happened, and how long its parts took."""
    for reason in bake["reasons"]:
        story.say(f"  because: {reason}")
    parts = ", ".join(f"{stage['stage']} {stage['seconds']:.1f}" for stage in bake["stages"])
    story.say(f"  {bake['image_id']} {bake['action']}, {bake['checks']['passed']} checks passed on a booted copy")
    story.say(f"  seconds: {parts}")


def differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """Return the inputs in which two images differ, in words."""
    before, after = first["facts"], second["facts"]
    found = []
    for name in sorted(set(before["digests"]) | set(after["digests"])):
        if before["digests"].get(name) != after["digests"].get(name):
            values = [facts["shown"].get(name) for facts in (before, after)]
            found.append(f"{name}: {values[0] or '(default)'} -> {values[1] or '(default)'}" if any(values) else name)
    return found


def demo_facts(telling: Telling, problem: str = "") -> DemoFacts:
    """Return everything that the page shows. The floor holds from the load's start to its end, the ceiling during rolls."""
    start, end = telling.load_started, telling.load_ended
    stages = telling.story.stages
    ceiling: list[tuple[float, int | None]] = [(start, SERVERS)]
    for stage in stages:
        if stage.title.startswith("roll "):
            ceiling += [(stage.start, SERVERS + SURGE), (stage.end, SERVERS)]
    return DemoFacts(
        group=GROUP,
        servers=SERVERS,
        rate=RATE,
        images=images(telling),
        rolled="2",
        start=start,
        end=end,
        stages=tuple(stages),
        health=read_events(telling.setting.events),
        floor=Steps.of((start, SERVERS)),
        ceiling=Steps.of(*ceiling),
        requests=read_requests(telling.requests),
        checks=tuple(
            parse_checks(title, document) for title, document in telling.documents.items() if "hosts" in document
        ),
        problem=problem,
    )


def images(telling: Telling) -> tuple[Image, ...]:
    """Return the two images; a server's page names the run that baked its image as its version."""
    baked = [(label, telling.documents.get(f"image {label}")) for label in ("1", "2")]
    return tuple(Image(label, bake["image_id"], bake["run"]) for label, bake in baked if bake)


def check_promises(facts: DemoFacts) -> None:
    """Raise VerificationError when a request failed, or there were ever fewer healthy servers than wanted."""
    if facts.is_good:
        return
    raise VerificationError(
        f"The demo's promises were not kept: {facts.requests.failed} of {facts.requests.sent} requests failed, at the "
        f"lowest {facts.lowest_healthy} of {facts.servers} servers were healthy.",
        "See the report.",
    )


def problem_of(error: GoldfleetError) -> str:
    """Return an error as one line of the page."""
    return error.message.splitlines()[0]
