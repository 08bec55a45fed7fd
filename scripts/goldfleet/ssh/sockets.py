"""Where the sockets of shared SSH connections are."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def control_folder() -> Iterator[Path]:
    """Make a short-lived folder, private to its owner, for the sockets of shared connections.

    A socket's path may have 104 characters at most, so it cannot be in the project.
    """
    folder = Path(tempfile.mkdtemp(prefix="goldfleet-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
