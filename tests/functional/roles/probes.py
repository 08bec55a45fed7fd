"""Loads the probes of roles database_client and cache_client, with stand-ins for the drivers, which are on servers only."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

ROLES = Path(__file__).resolve().parents[3] / "roles"


def load(path: Path, name: str) -> ModuleType:
    """Return a file as a module."""
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


connectivity = load(ROLES / "app_settings/files/goldfleet_connectivity.py", "goldfleet_connectivity")
"""What the probes share with the program that runs them."""


@contextmanager
def probe(role: str, engine: str, drivers: Mapping[str, ModuleType]) -> Iterator[ModuleType]:
    """Give a probe whose drivers are the given modules; afterwards nobody else can import these."""
    before = dict(sys.modules)
    try:
        sys.modules.update(drivers)
        yield load(ROLES / role / "files" / f"{engine}.py", f"goldfleet_probe_{engine}")
    finally:
        for name in (f"goldfleet_probe_{engine}", *drivers):
            sys.modules.pop(name, None)
        sys.modules.update({name: before[name] for name in drivers if name in before})
