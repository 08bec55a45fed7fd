"""pytest's plugin: registers the backend `goldfleet://`, and has all servers asked before the first test is judged.

Loaded into every pytest of an environment that has goldfleet: it imports nothing that takes time before a server is named.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest
import testinfra.backend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from goldfleet.verify.group_hosts import GroupHosts
    from goldfleet.verify.specs.asking import Asking
    from goldfleet.verify.specs.backend import GoldfleetBackend

SCHEME = "goldfleet"
LIVE = (
    "live: its commands are asked on the server when it runs, never before nor twice; for a test that changes something"
)
MOST_NAMED = 10
ASKING: pytest.StashKey[Asking] = pytest.StashKey()
JOB = "--goldfleet-job"
GROUP = f"{SCHEME}://asg/"
FOUND: pytest.StashKey[dict[str, GroupHosts]] = pytest.StashKey()
VARIABLES_FILE = "GOLDFLEET_VARIABLES_FILE"
PLANS = "goldfleet/plans"
"""Where pytest's cache keeps what tests have asked before, by what was run."""

MOST_PLANS = 20


def pytest_addoption(parser: pytest.Parser) -> None:
    """Know the option with which `goldfleet verify` names its servers."""
    parser.addoption(JOB, help=argparse.SUPPRESS)


def pytest_configure(config: pytest.Config) -> None:
    """Make the backend and the marker known."""
    testinfra.backend.BACKENDS[SCHEME] = "goldfleet.verify.specs.backend.GoldfleetBackend"
    config.addinivalue_line("markers", LIVE)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """Connect to the servers that --hosts names while the tests are collected."""
    option = session.config.option
    if job := option.goldfleet_job:
        from goldfleet.verify.specs.job_run import open_job  # noqa: PLC0415 - only where there is one

        session.config.pluginmanager.register(open_job(job))
        return (yield)
    hosts = getattr(option, "hosts", None) or ""
    groups = {one.strip() for one in hosts.split(",") if one.strip().startswith(GROUP)}
    # With xdist it is the workers that run tests.
    is_elsewhere = option.collectonly or (
        getattr(option, "dist", "no") != "no" and not hasattr(session.config, "workerinput")
    )
    if groups and not is_elsewhere:
        hosts = option.hosts = _find_groups(session.config, hosts.split(","), groups)
    if f"{SCHEME}://" in hosts and not is_elsewhere:
        named = testinfra.get_hosts(
            hosts.split(","), connection=option.connection, ssh_config=option.ssh_config,
            ssh_identity_file=option.ssh_identity_file, sudo=option.sudo, sudo_user=option.sudo_user,
            ansible_inventory=option.ansible_inventory, force_ansible=option.force_ansible,
        )  # fmt: skip
        _open(session.config, [host.backend for host in named if host.backend.NAME == SCHEME])
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Iterator[None]:
    """Ask every server what the tests want to know, then have them judged."""
    found = [(item, backend) for item in session.items if (backend := _backend(item)) is not None]
    if not found or session.config.option.collectonly or session.config.option.goldfleet_job:
        return (yield)
    if ASKING not in session.config.stash:
        _open(session.config, [backend for _, backend in found])
    asking = session.config.stash[ASKING]
    if reached := _learn(asking, found):
        _keep_plan(session.config, asking.collected.answered(reached))
    return (yield)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End every connection."""
    if asking := config.stash.get(ASKING, None):
        from goldfleet.verify.specs.asking import close_asking  # noqa: PLC0415 - only where there are servers

        close_asking(asking)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Let a live test ask for itself."""
    asking = item.config.stash.get(ASKING, None)
    if asking is None or _backend(item) is None:
        return (yield)
    from goldfleet.verify.specs.collected import Phase  # noqa: PLC0415
    from goldfleet.verify.specs.learning import is_live  # noqa: PLC0415

    asking.collected.begin_test()
    asking.collected.phase = Phase.LIVE if is_live(item, asking.learnt) else Phase.JUDGING
    try:
        return (yield)
    finally:
        asking.collected.phase = Phase.JUDGING


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say what it took, who did not answer, and which commands were asked one by one."""
    asking = config.stash.get(ASKING, None)
    if asking is None:
        return
    from goldfleet.verify.specs.changes import told_live  # noqa: PLC0415 - only where there are servers

    collected, cost = asking.collected, asking.collected.transport.cost
    terminalreporter.section("goldfleet")
    terminalreporter.write_line(
        f"{len(collected.names)} servers, {cost}; {len(collected.table.questions) - 1} commands in "
        f"{asking.learnt.rounds} rounds; connected in {asking.connected_seconds:.2f} s, asked in {asking.learnt_seconds:.2f} s"
    )
    for name, why in collected.trouble.items():
        terminalreporter.write_line(f"{name}: {why}")
    for test, command in list(asking.learnt.changing.items())[:MOST_NAMED]:
        terminalreporter.write_line(told_live(test, command))
    for name, command in collected.unforeseen[:MOST_NAMED]:
        terminalreporter.write_line(f"not foreseen, asked by itself: {name}: {command}")
    if (more := len(collected.unforeseen) - MOST_NAMED) > 0:
        terminalreporter.write_line(f"not foreseen, asked by themselves: {more} more")


def _find_groups(config: pytest.Config, hosts: list[str], groups: set[str]) -> str:
    """Return --hosts with the servers of groups in the groups' places; how these are reached is kept."""
    from goldfleet.errors import GoldfleetError  # noqa: PLC0415 - only where there are groups
    from goldfleet.verify.group_hosts import find_group_hosts  # noqa: PLC0415

    found = config.stash[FOUND] = {}
    try:
        for group in sorted(groups):
            name, _, query = group.removeprefix(GROUP).partition("?")
            transport = dict(parse_qsl(query)).get("transport")
            found[group] = find_group_hosts(Path.cwd(), name, transport)
    except GoldfleetError as error:
        raise pytest.UsageError(str(error)) from error
    _tell_variables(config, list(found.values()))
    named = [
        [f"{SCHEME}://{server}" for server in found[one.strip()].servers] if one.strip() in found else [one]
        for one in hosts
    ]
    return ",".join(server for some in named for server in some)


def _tell_variables(config: pytest.Config, groups: list[GroupHosts]) -> None:
    """Let specs know what is wanted of the servers, unless the user has said it."""
    wanted = [dict(group.variables) for group in groups]
    if any(one != wanted[0] for one in wanted):
        raise pytest.UsageError("Not the same is wanted of the groups that --hosts names: run pytest for each of them.")
    if VARIABLES_FILE in os.environ:
        return
    file = tempfile.NamedTemporaryFile("w", prefix="goldfleet-variables-", suffix=".json")  # noqa: SIM115 - open as long as pytest runs
    json.dump(wanted[0], file)
    file.flush()
    os.environ[VARIABLES_FILE] = file.name
    config.add_cleanup(file.close)


def _open(config: pytest.Config, backends: list[GoldfleetBackend]) -> None:
    from goldfleet.transport.model import Limits, SshHost  # noqa: PLC0415 - only now that there are servers
    from goldfleet.verify.specs.asking import host_of, open_asking  # noqa: PLC0415
    from goldfleet.verify.specs.collected import PRELUDE  # noqa: PLC0415
    from goldfleet.verify.specs.plans import harmless  # noqa: PLC0415
    from goldfleet.verify.tunnels import MOST_TUNNELS  # noqa: PLC0415

    found = config.stash.get(FOUND, {}).values()
    reached = {name: host for group in found for name, host in group.hosts.items()}
    trouble = {name: why for group in found for name, why in group.trouble.items()}
    by_name = {one.server: reached.get(one.server) or host_of(one) for one in backends if one.server not in trouble}
    is_tunnelled = any(isinstance(host, SshHost) and host.proxy_command for host in by_name.values())
    limits = Limits(sessions=MOST_TUNNELS) if is_tunnelled else Limits()
    if by_name or trouble:
        first = tuple(dict.fromkeys((*PRELUDE, *harmless(_plans(config).get(_what_is_run(config))))))
        config.stash[ASKING] = open_asking(by_name, limits, first, trouble)


def _plans(config: pytest.Config) -> dict[str, Any]:
    """Return what pytest's cache keeps of what tests have asked, by what was run; nothing where there is no cache."""
    cache = getattr(config, "cache", None)
    kept = cache.get(PLANS, {}) if cache is not None else {}
    return kept if isinstance(kept, dict) else {}


def _keep_plan(config: pytest.Config, commands: list[str]) -> None:
    """Keep what was asked for the next run of the same tests, which then asks it at its beginning."""
    if (cache := getattr(config, "cache", None)) is not None:
        kept = [*_plans(config).items(), (_what_is_run(config), commands)]
        cache.set(PLANS, dict(kept[-MOST_PLANS:]))


def _what_is_run(config: pytest.Config) -> str:
    return "\n".join([*config.args, config.option.markexpr, config.option.keyword])


def _learn(asking: Asking, found: list[tuple[pytest.Item, GoldfleetBackend]]) -> str | None:
    """Find out what the tests ask; return the server that they were learnt for, None when none answers."""
    from goldfleet.verify.specs.learning import learn  # noqa: PLC0415

    asking.wait()
    began = time.monotonic()
    reached = next((backend.server for _, backend in found if backend.server not in asking.collected.trouble), None)
    if reached is not None:
        asking.learnt = learn(reached, [item for item, backend in found if backend.server == reached], asking.collected)
    asking.learnt_seconds = time.monotonic() - began
    return reached


def _backend(item: pytest.Item) -> GoldfleetBackend | None:
    callspec = getattr(item, "callspec", None)
    host = callspec.params.get("_testinfra_host") if callspec else None
    backend = getattr(host, "backend", None)
    return backend if backend is not None and backend.NAME == SCHEME else None
