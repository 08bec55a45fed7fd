"""Alters one task, or one item that a task loops over, by general rules: none of them knows a role, a file or a name.

Pure. Every rule takes a task and yields (what was done, the altered task); it never changes the task that it was given.
Neighbours: mutants and items, which put back what was altered.
"""

import re
from collections.abc import Iterator
from typing import Any

Task = dict[str, Any]
Alteration = tuple[str, Task]

KEYWORDS = frozenset({
    "action", "always", "any_errors_fatal", "args", "async", "become", "become_exe", "become_flags",
    "become_method", "become_user", "block", "changed_when", "check_mode", "collections", "connection", "debugger",
    "delay", "delegate_facts", "delegate_to", "diff", "environment", "failed_when", "ignore_errors",
    "ignore_unreachable", "listen", "loop", "loop_control", "module_defaults", "name", "no_log", "notify", "poll",
    "port", "register", "remote_user", "rescue", "retries", "run_once", "tags", "throttle", "timeout", "until",
    "vars", "when",
})  # fmt: skip
"""Keys of a task or block that are no module. Source: Ansible documentation, "Playbook Keywords"."""
OPPOSITE_STATES = {
    "present": "absent", "absent": "present", "started": "stopped", "stopped": "started",
    "directory": "absent", "link": "absent", "file": "absent", "touch": "absent",
    "restarted": "started", "reloaded": "started",
}  # fmt: skip
FLAGS = ("enabled", "masked", "password_lock")
WIDEST_MODE = "0777"
WRITES_CONTENT = ("template", "copy")
EMPTIED = "content emptied"
EXPRESSION = re.compile(r"^{{ (.*) }}$", re.DOTALL)
SHOWN = 60


def module_of(task: Task) -> str | None:
    """Return the module of a task, None for a block."""
    names = [key for key in task if key not in KEYWORDS and not key.startswith("with_")]
    if "block" in task:
        return None
    if len(names) != 1:
        raise ValueError(f"cannot tell the module of task {task.get('name')!r}: {names}")
    return names[0]


def args_of(task: Task) -> dict[str, Any]:
    """Return the arguments of a task's module, none where they are no mapping."""
    module = module_of(task)
    args = task[module] if module else {}
    return args if isinstance(args, dict) else {}


def alter_task(task: Task) -> Iterator[Alteration]:
    """Yield every alteration of a task or of a block's own condition."""
    yield from _drop_when(task)
    if module_of(task) is None:
        return
    yield from _drop_notify(task)
    yield from _drop_loop_items(task)
    yield from _drop_listed(task)
    yield from _turn_state(task)
    yield from _turn_flags(task)
    yield from _widen_mode(task)
    yield from _change_owner(task)
    yield from _empty_content(task)


def alter_handler(task: Task) -> Iterator[Alteration]:
    """Yield the alterations of a handler. A deleted one fails when it is notified; one that does nothing does not."""
    module = module_of(task)
    nothing = {"ansible.builtin.debug": {"msg": "nothing"}}
    yield "does nothing", {**{key: value for key, value in task.items() if key != module}, **nothing}
    yield from _drop_when(task)
    yield from _turn_state(task)


def alter_item(item: Task) -> Iterator[Alteration]:
    """Yield the alterations of an item. It keeps an empty `notify`: a task that has no default for it would fail for that."""
    for mutation, altered in _drop_notify(item):
        yield mutation, {"notify": [], **altered}
    if item.get("mode", WIDEST_MODE) != WIDEST_MODE:
        yield f"mode {WIDEST_MODE}", {**item, "mode": WIDEST_MODE}
    if item.get("content"):
        yield EMPTIED, {**item, "content": ""}


def _drop_when(task: Task) -> Iterator[Alteration]:
    when = task.get("when")
    if isinstance(when, list) and len(when) > 1:
        for number, condition in enumerate(when):
            yield f"when {_shown(condition, number)} dropped", {**task, "when": without(when, number)}
    elif when is not None:
        yield "when dropped", {key: value for key, value in task.items() if key != "when"}


def _drop_notify(task: Task) -> Iterator[Alteration]:
    notify = task.get("notify")
    if isinstance(notify, list) and len(notify) > 1:
        for number, handler in enumerate(notify):
            yield f"notify {_shown(handler, number)} dropped", {**task, "notify": without(notify, number)}
    elif notify is not None:
        yield "notify dropped", {key: value for key, value in task.items() if key != "notify"}


def _drop_loop_items(task: Task) -> Iterator[Alteration]:
    """Each item of a written-out loop is a task of its own in all but name."""
    loop = task.get("loop")
    if isinstance(loop, list) and len(loop) > 1:
        for number, item in enumerate(loop):
            yield f"item {_shown(item, number)} dropped", {**task, "loop": without(loop, number)}


def _drop_listed(task: Task) -> Iterator[Alteration]:
    """Each package of a list, and each condition of an assertion, likewise."""
    key = {"apt": "name", "package": "name", "assert": "that"}.get((module_of(task) or "").rpartition(".")[2], "")
    listed = args_of(task).get(key)
    if isinstance(listed, list) and len(listed) > 1:
        for number, item in enumerate(listed):
            yield f"{key} {_shown(item, number)} dropped", _with_args(task, {key: without(listed, number)})


def _turn_state(task: Task) -> Iterator[Alteration]:
    state = args_of(task).get("state")
    if isinstance(state, str) and state in OPPOSITE_STATES:
        yield f"state {OPPOSITE_STATES[state]}", _with_args(task, {"state": OPPOSITE_STATES[state]})
    elif isinstance(state, str) and (found := EXPRESSION.match(state)):
        turned = f"{{{{ {OPPOSITE_STATES!r}[{found[1]}] }}}}"
        yield "state turned round", _with_args(task, {"state": turned})


def _turn_flags(task: Task) -> Iterator[Alteration]:
    for flag in FLAGS:
        value = args_of(task).get(flag)
        if isinstance(value, bool):
            yield f"{flag} {str(not value).lower()}", _with_args(task, {flag: not value})
        elif isinstance(value, str) and (found := EXPRESSION.match(value)):
            yield f"{flag} turned round", _with_args(task, {flag: f"{{{{ not ({found[1]}) }}}}"})


def _widen_mode(task: Task) -> Iterator[Alteration]:
    if args_of(task).get("mode", WIDEST_MODE) != WIDEST_MODE:
        yield f"mode {WIDEST_MODE}", _with_args(task, {"mode": WIDEST_MODE})


def _change_owner(task: Task) -> Iterator[Alteration]:
    """The group matters only where the mode gives it what it does not give to others."""
    args = args_of(task)
    if "owner" in args:
        other = "nobody" if args["owner"] == "root" else "root"
        yield f"owner {other}", _with_args(task, {"owner": other})
    mode = str(args.get("mode", ""))
    if "group" in args and re.fullmatch(r"[0-7]{3,4}", mode) and mode[-2] != mode[-1]:
        other = "nogroup" if args["group"] == "root" else "root"
        yield f"group {other}", _with_args(task, {"group": other})


def _empty_content(task: Task) -> Iterator[Alteration]:
    module = module_of(task) or ""
    args = args_of(task)
    if module.rpartition(".")[2] in WRITES_CONTENT and "dest" in args and ("src" in args or args.get("content")):
        kept = {
            key: value for key, value in args.items() if key in ("dest", "owner", "group", "mode", "validate", "force")
        }
        others = {key: value for key, value in task.items() if key != module}
        yield EMPTIED, {**others, "ansible.builtin.copy": {"content": "", **kept}}


def _with_args(task: Task, changed: dict[str, Any]) -> Task:
    module = module_of(task) or ""
    return {**task, module: {**args_of(task), **changed}}


def without(values: list[Any], number: int) -> list[Any]:
    """Return a list without one of its values."""
    return [value for position, value in enumerate(values) if position != number]


def _shown(value: Any, number: int) -> str:
    """Return a value as a name for itself: short, and with its number in the list where that cuts it off."""
    text = " ".join(str(value).split())
    return repr(text) if len(text) <= SHOWN else f"no. {number + 1} {text[:SHOWN]!r}..."
