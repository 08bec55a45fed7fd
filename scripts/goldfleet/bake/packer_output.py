"""Reads what Packer says: its version, its manifest, and the lines that explain a failure. Pure.

The image's id comes from the manifest only; output is read for people's sake.
"""

import json
import re
from collections.abc import Iterable, Sequence

from goldfleet.errors import AwsError, UsageError

MOST_LINES = 25

_VERSION = re.compile(r"Packer v?(\d+)\.(\d+)\.(\d+)")
_PREFIX = re.compile(r"^(?:==> )?\s*[A-Za-z0-9_.-]+:(?: |$)")
_TASK = re.compile(r"^(TASK|RUNNING HANDLER) \[(?P<name>.*)\]")
_FAILED = re.compile(r"^(fatal|failed): \[")
_END = re.compile(r"^(PLAY RECAP|NO MORE HOSTS LEFT|PLAY \[)")


def parse_version(lines: Iterable[str]) -> tuple[int, ...]:
    """Return Packer's version as numbers.

    Raises UsageError when the lines do not say it.
    """
    text = "\n".join(lines)
    match = _VERSION.search(text)
    if match is None:
        raise UsageError(f"`packer version` answered {text[:200]!r}.", "Check that `packer` is HashiCorp's Packer.")
    return tuple(int(number) for number in match.groups())


def parse_manifest(text: str, region: str) -> str:
    """Return the id of the AMI that Packer made in a region.

    Source: Packer documentation, manifest post-processor: `artifact_id` is `region:ami` pairs with commas between.
    Raises AwsError when the manifest names none.
    """
    try:
        document = json.loads(text)
        last = document["last_run_uuid"]
        artifacts = [build["artifact_id"] for build in document["builds"] if build["packer_run_uuid"] == last]
    except (ValueError, KeyError, TypeError) as error:
        raise AwsError(f"Packer's manifest cannot be read: {error!r}.") from error
    pairs = [pair.partition(":")[::2] for artifact in artifacts for pair in str(artifact).split(",")]
    images = [image_id for where, image_id in pairs if where == region]
    if len(images) != 1:
        raise AwsError(f"Packer's manifest should name one AMI in {region}, but names {images or pairs or 'none'}.")
    return images[0]


def explain_failure(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the lines that tell why a build failed: the failed Ansible task, or else what Packer says itself."""
    plain = [_PREFIX.sub("", line).rstrip() for line in lines]
    return _failed_task(plain) or _packer_errors(plain)


def _failed_task(lines: Sequence[str]) -> tuple[str, ...]:
    task = ""
    for number, line in enumerate(lines):
        if match := _TASK.match(line):
            task = f"TASK [{match['name']}]"
        elif _FAILED.match(line):
            return (task, *_until_end(lines[number:])) if task else _until_end(lines[number:])
    return ()


def _until_end(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the lines of one task's result."""
    kept: list[str] = []
    for line in lines[:MOST_LINES]:
        if kept and (not line or _END.match(line) or _TASK.match(line)):
            break
        kept.append(line)
    return tuple(kept)


def _packer_errors(lines: Sequence[str]) -> tuple[str, ...]:
    errors = [line for line in lines if re.search(r"\berror", line, re.IGNORECASE)]
    return tuple((errors or [line for line in lines if line])[-MOST_LINES:])
