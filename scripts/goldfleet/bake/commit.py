"""Which commit a project is at, asked of git when there is git."""

import subprocess
from pathlib import Path

TIMEOUT_SECONDS = 20


def read_commit(project: Path) -> str:
    """Return the commit's hash, with `-dirty` behind it when files differ from it; "" outside of a repository."""
    commit = _git(project, "rev-parse", "HEAD")
    if not commit:
        return ""
    return f"{commit}-dirty" if _git(project, "status", "--porcelain") else commit


def _git(project: Path, *arguments: str) -> str:
    try:
        ended = subprocess.run(
            ["git", "-C", str(project), *arguments],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ended.stdout.strip() if ended.returncode == 0 else ""
