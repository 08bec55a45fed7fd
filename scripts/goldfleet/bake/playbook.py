"""Which other playbooks and which roles a playbook or a role's files reach. Pure: takes parsed YAML, reads no file."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_PREFIXES = ("", "ansible.builtin.", "ansible.legacy.")
_ROLE_KEYS = frozenset(prefix + name for prefix in _PREFIXES for name in ("import_role", "include_role"))
_PLAYBOOK_KEYS = frozenset(prefix + "import_playbook" for prefix in _PREFIXES)


@dataclass(frozen=True)
class References:
    """Names found. `is_complete` is False when a role's name is computed at run time, so that any role may be meant."""

    playbooks: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    is_complete: bool = True


def references(document: object) -> References:
    """Return what a parsed playbook, task file or `meta/main.yml` refers to.

    Roles of collections (`a.b.c`) are left out: collections count by their version.
    """
    playbooks: set[str] = set()
    roles: set[str] = set()
    for mapping in _mappings(document):
        playbooks.update(_texts(mapping.get(key) for key in _PLAYBOOK_KEYS & mapping.keys()))
        roles.update(_role_names(mapping))
    if isinstance(document, dict):
        roles.update(_role_list(document.get("dependencies")))
    return References(
        playbooks=frozenset(playbooks),
        roles=frozenset(name for name in roles if not _is_computed(name) and not _is_of_collection(name)),
        is_complete=not any(_is_computed(name) for name in roles | playbooks),
    )


def _mappings(document: object) -> Iterator[dict[object, object]]:
    """Yield every mapping in a document, however deep: blocks nest tasks at any depth."""
    if isinstance(document, dict):
        yield document
        for value in document.values():
            yield from _mappings(value)
    elif isinstance(document, list):
        for value in document:
            yield from _mappings(value)


def _role_names(mapping: dict[object, object]) -> Iterator[str]:
    """Yield the roles that a task or a play names; `roles` elsewhere is somebody's variable."""
    for key in _ROLE_KEYS & mapping.keys():
        yield from _role_name(mapping[key])
    if "hosts" in mapping:
        yield from _role_list(mapping.get("roles"))


def _role_list(entries: object) -> Iterator[str]:
    if isinstance(entries, list):
        for entry in entries:
            yield from _role_name(entry)


def _role_name(entry: object) -> Iterator[str]:
    """Yield the name in one way of writing a role: its name, a mapping with role or name, or `name=x`."""
    if isinstance(entry, str):
        words = dict(word.partition("=")[::2] for word in entry.split())
        yield words.get("name") or entry
    elif isinstance(entry, dict):
        yield from _texts(entry[key] for key in ("role", "name") if key in entry)


def _texts(values: Iterable[object]) -> Iterator[str]:
    yield from (value for value in values if isinstance(value, str))


def _is_computed(name: str) -> bool:
    return "{{" in name or "{%" in name


def _is_of_collection(name: str) -> bool:
    return len(name.split(".")) >= 3 and "/" not in name
