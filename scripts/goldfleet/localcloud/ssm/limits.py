"""MaxConcurrency, MaxErrors and the size of a command as numbers: pure."""

import json
from collections.abc import Mapping

# Not in the API reference, which names 64 KB for documents alone; what AWS answers names it (MaxDocumentSizeExceeded).
SIZE_LIMIT_BYTES = 97 * 1024
DOCUMENT_BYTES = 1400  # about what AWS-RunShellScript itself takes of it


def concurrency(written: str, targets: int) -> int:
    """Return how many nodes may run a command at once; a percentage rounds down, but never below 1."""
    return max(1, _share(written, targets))


def errors(written: str, targets: int) -> int:
    """Return how many errors a command bears; a percentage rounds down.

    Source: user guide, "Using error controls": of 50 nodes 10% are five, and the sixth error stops it.
    """
    return _share(written, targets)


def _share(written: str, targets: int) -> int:
    return targets * int(written[:-1]) // 100 if written.endswith("%") else int(written)


def size_of(parameters: Mapping[str, list[str]]) -> int:
    """Return how many bytes a command's parameters and document take."""
    return DOCUMENT_BYTES + len(json.dumps(parameters, ensure_ascii=False).encode())


def agent_timeout(written: int) -> int:
    """Return the execution time-out that the agent keeps to, in seconds.

    What is not between 5 s and 48 h is an hour instead. Source: amazon-ssm-agent, pluginutil's ValidateExecutionTimeout, and
    the document's own limit of 172800.
    """
    return written if 5 <= written <= 172800 else 3600
