"""Makes the mutants of a role: each differs from it in one task or one item of a loop, by a rule that knows no role.

Pure: takes the text of the role's files of tasks, handlers and variables and returns the text of the changed ones. Comments
and layout are not kept, since Ansible does not read them. Neighbours: rules, which alters one task; items, which finds what
tasks loop over.
"""

import copy
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml

from tests.mutation.items import Item, Loop, alterations, find_items
from tests.mutation.rules import EMPTIED, Task, alter_handler, alter_task, module_of

BLOCK_PARTS = ("block", "rescue", "always")
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The quick one, written in C, where there is one."""
DUMPER: Any = type("Dumper", (getattr(yaml, "CSafeDumper", yaml.SafeDumper),), {"ignore_aliases": lambda *_: True})
"""Writes what comes twice twice: an anchor would look like one task that refers to another."""
DELETED = "deleted"
NOT_PLAIN = ("block", "import_tasks", "include_tasks", "import_role", "include_role", "meta", "assert")
SOURCES = {"template": "templates", "copy": "files"}
"""Where the module of a loop looks for the files that its items name."""
Path = tuple[str | int, ...]
"""Where a task is in its file: positions in lists, and the parts of blocks between them; an item: its variable and position."""


@dataclass(frozen=True)
class Place:
    """One task of a role, or one item of a loop: its file, where it is in it, the line it begins at, and what it is called."""

    file: str
    path: Path
    line: int
    name: str

    def is_called_one_of(self, tasks: Collection[str]) -> bool:
        """Say whether the task is among these names, which are not told apart where one comes twice."""
        return any(self.name == task or self.name.startswith(f"{task} (") for task in tasks)


@dataclass(frozen=True)
class Mutant:
    """A role with one change: what was changed where, and the whole text of the changed file.

    The module of an item is that of the first task that loops over it. `needs_run` says that only a run of the task can show
    the change: not a dropped condition, which makes it run, nor a deletion that leaves a variable undefined.
    """

    role: str
    place: Place
    mutation: str
    module: str
    content: str
    needs_run: bool = False

    @property
    def key(self) -> tuple[str, str, str]:
        """Return (role, task, mutation), which no other mutant has."""
        return self.role, self.place.name, self.mutation

    @property
    def is_judged_by_settings(self) -> bool:
        """Say whether the changed task judges settings, which good settings never show, or has them judged: a role's first."""
        is_first = (self.place.file, self.place.path) == ("tasks/main.yml", (0,))
        return self.module.endswith("assert") or self.place.file == "tasks/preflight.yml" or is_first

    @property
    def cannot_be_refused(self) -> bool:
        """Say whether no preflight can notice the change: a task's that judges nothing. An item's may be in what is judged."""
        return self.place.file.startswith(("tasks/", "handlers/")) and not self.is_judged_by_settings

    def is_out_of_reach(self, ran: Collection[str]) -> bool:
        """Say whether no proof can notice the change: it shows only where the task is run, and these are all that were."""
        return self.needs_run and "{{" not in self.place.name and not self.place.is_called_one_of(ran)

    @property
    def installs_packages(self) -> bool:
        """Say whether the changed task installs packages: it must not start where they are installed already."""
        return self.module.rpartition(".")[2] in ("apt", "package")

    def __str__(self) -> str:
        """Return what was changed, in a line."""
        return f"{self.role} {self.place.file}:{self.place.line} {self.place.name!r} {self.mutation}"


def make_mutants(role: str, files: Mapping[str, str]) -> list[Mutant]:
    """Return every mutant of a role; `files` is the text of its tasks/*.yml, handlers/*.yml and vars/*.yml by their names."""
    variables = {file: text for file, text in files.items() if file.startswith("vars/")}
    others = {file: text for file, text in files.items() if file not in variables}
    tasks, places = {file: _load(text) or [] for file, text in others.items()}, find_places(others)
    mutants = [mutant for place in places for mutant in _mutants_at(role, tasks[place.file], place)]
    placed = [at(tasks[place.file], place.path) for place in places]
    loops = [Loop(str(task["loop"]), module_of(task) or "") for task in placed if "loop" in task]
    mutants += _mutants_of_items(role, variables, loops)
    twice = [key for key, count in Counter(mutant.key for mutant in mutants).items() if count > 1]
    if twice:
        raise ValueError(f"two mutants are called {twice[0]}")
    return mutants


def find_places(files: Mapping[str, str]) -> list[Place]:
    """Return every task and block of a role, in order. A name that comes twice gets its file, and there its number."""
    found = [
        Place(file, path, node.start_mark.line + 1, str(_value(node, "name") or "task"))
        for file, text in files.items()
        for path, node in _nodes(yaml.compose(text, Loader=LOADER))
    ]
    return _told_apart(_told_apart(found, lambda place, _: place.file), lambda _, number: f"no. {number}")


def _told_apart(places: list[Place], mark: Callable[[Place, int], str]) -> list[Place]:
    """Return the places with a mark behind each name that comes more than once."""
    names = Counter(place.name for place in places)
    seen: Counter[str] = Counter()
    marked = []
    for place in places:
        seen[place.name] += 1
        is_only_one = names[place.name] == 1
        name = place.name if is_only_one else f"{place.name} ({mark(place, seen[place.name])})"
        marked.append(replace(place, name=name))
    return marked


def at(tasks: list[Task], path: Path) -> Task:
    """Return the task at a place of a file's tasks."""
    found: Any = tasks
    for step in path:
        found = found[step]
    return dict(found)


def _nodes(node: Any, path: Path = ()) -> Iterator[tuple[Path, yaml.MappingNode]]:
    """Yield every task and block below a list of tasks."""
    for number, task in enumerate(node.value if node is not None else []):
        yield (*path, number), task
        for part in BLOCK_PARTS:
            inner = _child(task, part)
            if inner is not None:
                yield from _nodes(inner, (*path, number, part))


def _child(task: yaml.MappingNode, key: str) -> Any:
    return next((value for name, value in task.value if name.value == key), None)


def _value(task: yaml.MappingNode, key: str) -> str | None:
    child = _child(task, key)
    return None if child is None else str(child.value)


def _mutants_at(role: str, tasks: list[Task], place: Place) -> Iterator[Mutant]:
    task = at(tasks, place.path)
    is_handler = place.file.startswith("handlers/")
    module = module_of(task) or "block"
    # What has tasks of its own is not printed when it runs; an assertion is judged by the tests of settings.
    is_plain = not is_handler and module.rpartition(".")[2] not in NOT_PLAIN
    if module != "block":
        without = _delete(tasks, place.path)
        yield Mutant(role, place, DELETED, module, _dump(without), is_plain and "register" not in task)
    for mutation, altered in (alter_handler if is_handler else alter_task)(task):
        needs_run = is_plain and not mutation.startswith("when")
        yield Mutant(role, place, mutation, module, _dump(_replace(tasks, place.path, altered)), needs_run)


def _mutants_of_items(role: str, files: Mapping[str, str], loops: Sequence[Loop]) -> Iterator[Mutant]:
    """Yield the mutants of each item that some task loops over."""
    variables = {file: _load(text) or {} for file, text in files.items()}
    of_all = {name: value for one in variables.values() for name, value in one.items()}
    items = [
        (file, item) for file in files if variables[file]
        for item in find_items(yaml.compose(files[file], Loader=LOADER), of_all, loops)
    ]  # fmt: skip
    found = [Place(file, (item.variable, item.number), item.line, item.name) for file, item in items]
    for place, (file, item) in zip(_told_apart(found, lambda _, number: f"no. {number}"), items, strict=True):
        value = variables[file][item.variable]
        for mutation, altered in alterations(value, item.number):
            if altered != value:
                changed = {**variables[file], item.variable: altered}
                yield Mutant(role, place, mutation, item.modules[0], _dump(changed))
        if source := _source(item):
            yield Mutant(role, replace(place, file=source, line=1), EMPTIED, item.modules[0], "")


def _source(item: Item) -> str | None:
    """Return the role's file that an item is made from, None where it has its content itself."""
    folders = [SOURCES[name] for module in item.modules if (name := module.rpartition(".")[2]) in SOURCES]
    return f"{folders[0]}/{item.file}" if item.file and folders else None


def _replace(tasks: list[Task], path: Path, task: Task) -> list[Task]:
    changed = copy.deepcopy(tasks)
    holder: Any = changed
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = task
    return changed


def _delete(tasks: list[Task], path: Path) -> list[Task]:
    """Return the tasks without one. Ansible refuses an empty block: its only task is replaced by one that does nothing."""
    changed = copy.deepcopy(tasks)
    holder: Any = changed
    for step in path[:-1]:
        holder = holder[step]
    task = holder.pop(path[-1])
    if not holder and len(path) > 1:
        holder.append({"name": task.get("name", "nothing"), "ansible.builtin.meta": "noop"})
    return changed


def _load(text: str) -> Any:
    return yaml.load(text, LOADER)  # noqa: S506 - it is a safe loader


def _dump(content: Any) -> str:
    return "---\n" + yaml.dump(content, Dumper=DUMPER, sort_keys=False, allow_unicode=True, width=10_000)
