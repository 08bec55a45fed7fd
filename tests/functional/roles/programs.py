"""Loads programs of the roles that have no module's name, without writing bytecode beside them."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

ROLES = Path(__file__).resolve().parents[3] / "roles"


def load_program(role: str, name: str) -> ModuleType:
    """Return a role's program as a module."""
    path = ROLES / role / "files" / name
    module = ModuleType(f"program_{name.replace('-', '_')}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses look for their own module
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), module.__dict__)  # noqa: S102  the project's own file
    return module
