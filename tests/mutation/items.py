"""Finds the items of the lists that a role's tasks loop over: a task that writes ten files is ten tasks in all but name.

Pure. An item is a mapping of a list in the role's variables, or one that a statement in an expression there appends to a
list. Neighbours: rules, which alters one item; mutants, which makes the text of the changed file.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.mutation.rules import EMPTIED, alter_item, without

DROPPED = "dropped"
NAMED_BY = ("dest", "path", "name", "src")
"""What an item is called after: the first of these keys that it has."""
APPENDED = re.compile(r"\{%-? set _ = \w+\.append\((\{.*?\})\) -?%\}", re.DOTALL)


@dataclass(frozen=True)
class Loop:
    """What a task loops over, as it is written, and the task's module."""

    over: str
    module: str


@dataclass(frozen=True)
class Item:
    """One item of a list: its variable, its position there, the line it begins at, and what it is called.

    `modules` are those of the tasks that loop over it; `file` is the role's file that it is made from, "" where it has its
    content itself.
    """

    variable: str
    number: int
    line: int
    name: str
    modules: tuple[str, ...]
    file: str = ""


def find_items(node: Any, variables: Mapping[str, Any], loops: Sequence[Loop]) -> Iterator[Item]:
    """Yield each item in a file of variables that some task loops over; `variables` has those of all files."""
    for key, value in node.value:
        names = _names_built_from(key.value, variables)
        modules = tuple(loop.module for loop in loops if any(_is_named(name, loop.over) for name in names))
        for number, item in enumerate(_items(variables[key.value]) if modules else []):
            line = (value.value[number] if isinstance(item, dict) else value).start_mark.line + 1
            name = f"{key.value}: {_name(item) or f'no. {number + 1}'}"
            yield Item(key.value, number, line, name, modules, _file(item))


def alterations(value: Any, number: int) -> Iterator[tuple[str, Any]]:
    """Yield what is done to one item of a variable, and what the variable is then."""
    if isinstance(value, list):
        yield DROPPED, without(value, number)
        for mutation, item in alter_item(value[number]):
            yield mutation, [*value[:number], item, *value[number + 1 :]]
        return
    statement = list(APPENDED.finditer(value))[number]
    yield DROPPED, value[: statement.start()] + value[statement.end() :]
    if "'content':" in statement[1]:
        emptied = f"{statement[1]} | combine({{'content': ''}})"
        yield EMPTIED, value[: statement.start(1)] + emptied + value[statement.end(1) :]


def _items(value: Any) -> list[Any]:
    """Return the mappings that a variable lists, or as text those that it appends; none where it is something else."""
    if isinstance(value, list):
        return value if all(isinstance(item, dict) for item in value) else []
    return APPENDED.findall(value) if isinstance(value, str) else []


def _name(item: Any) -> str:
    """Return what an item is called after, "" when it has no such key."""
    for key in NAMED_BY:
        if isinstance(item, dict) and key in item:
            return str(item[key])
        if isinstance(item, str) and (found := re.search(rf"'{key}': ([^,}}]+)", item)):
            return found[1]
    return ""


def _file(item: Any) -> str:
    is_made_from_one = isinstance(item, dict) and "content" not in item and "{{" not in str(item.get("src", "{{"))
    return str(item["src"]) if is_made_from_one else ""


def _names_built_from(variable: str, variables: Mapping[str, Any]) -> set[str]:
    """Return the name of a variable and of each that is built from it, over however many others."""
    reached, left = {variable}, [variable]
    while left:
        name = left.pop()
        more = {other for other, value in variables.items() if _is_named(name, str(value))} - reached
        reached |= more
        left += more
    return reached


def _is_named(variable: str, text: str) -> bool:
    return re.search(rf"\b{re.escape(variable)}\b", text) is not None
