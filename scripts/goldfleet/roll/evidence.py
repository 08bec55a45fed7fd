"""Keeps evidence of a failed instance before it is terminated: what can be had, in one folder.

Console output, scaling activities, target health, the gate's words, and what systemd says over SSH. Something that
cannot be had is said in the summary and stops nothing.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from goldfleet.aws.model import Activity
from goldfleet.errors import GoldfleetError
from goldfleet.roll.model import GateResult, Roll, Snapshot

SUMMARY = "roll.json"
GONE = "gone"


@dataclass(frozen=True)
class EvidenceFolder:
    """Writes into one folder. `console` returns an instance's console output, `units` what systemd says of its units."""

    path: Path
    console: Callable[[str], str]
    units: Callable[[str], str]
    activities: Callable[[], tuple[Activity, ...]]

    def keep(
        self, roll: Roll, snapshot: Snapshot, instance_ids: Sequence[str], results: Mapping[str, GateResult]
    ) -> str:
        """Write what can be had about these instances and return the folder; nothing that cannot be had is an error."""
        missing: list[str] = []
        activities = self._had("scaling activities", self.activities, missing) or ()
        for instance_id in instance_ids:
            self._write_seen(instance_id, snapshot, results)
            console, units = partial(self.console, instance_id), partial(self.units, instance_id)
            self._write(f"{instance_id}-console.log", self._had(f"console of {instance_id}", console, missing))
            self._write(f"{instance_id}-units.txt", self._had(f"units of {instance_id}", units, missing))
        document = {
            "roll": roll.roll_id,
            "group": snapshot.group.name,
            "why": roll.why,
            "target": f"{roll.target.image_id}, {roll.target.launch}",
            "instances": {one: describe(one, snapshot, results) for one in instance_ids},
            "scaling_activities": [asdict(one) for one in activities],
            "could_not_be_had": missing,
        }
        self._write(SUMMARY, json.dumps(self._merged(document), indent=2, default=str) + "\n")
        return str(self.path)

    def _merged(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return the summary with what an earlier one said of other instances, and of what could not be had then."""
        try:
            before = json.loads((self.path / SUMMARY).read_text(encoding="utf-8"))
            instances = {**before["instances"], **document["instances"]}
            missing = list(dict.fromkeys([*before["could_not_be_had"], *document["could_not_be_had"]]))
        except (OSError, ValueError, KeyError, TypeError):
            return document
        return {**document, "instances": instances, "could_not_be_had": missing}

    def _write_seen(self, instance_id: str, snapshot: Snapshot, results: Mapping[str, GateResult]) -> None:
        """Write what is seen of an instance now, unless it is gone and was seen before."""
        name, seen = f"{instance_id}.json", describe(instance_id, snapshot, results)
        if seen["lifecycle_state"] != GONE or not (self.path / name).exists():
            self._write(name, json.dumps(seen, indent=2) + "\n")

    def _had(self, what: str, fetch: Callable[[], Any], missing: list[str]) -> Any:
        try:
            return fetch()
        except (GoldfleetError, OSError) as error:
            missing.append(f"{what}: {error}")
            return None

    def _write(self, name: str, text: str | None) -> None:
        if text:
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_text(text, encoding="utf-8")


def describe(instance_id: str, snapshot: Snapshot, results: Mapping[str, GateResult]) -> dict[str, Any]:
    """Return what a look and the gate said about one instance."""
    seen = next((one for one in snapshot.group.instances if one.instance_id == instance_id), None)
    result = results.get(instance_id)
    return {
        "lifecycle_state": seen.lifecycle_state if seen else GONE,
        "health_status": seen.health_status if seen else "",
        "targets": {
            arn: asdict(targets[instance_id]) for arn, targets in snapshot.health.items() if instance_id in targets
        },
        "checks": {"verdict": result.verdict.value, "image_id": result.image_id, "why": result.why} if result else None,
    }
