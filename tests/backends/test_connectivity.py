"""goldfleet-connectivity on real servers: all up with TLS, then each fault, which the message must name."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.backends.conftest import Rig

DATABASES = ("mysql", "postgresql", "redis")


@dataclass(frozen=True)
class Fault:
    """How an engine and the settings are broken, and what must be said of it."""

    stage: str
    says: str
    state: str = "good"
    settings: dict[str, str] = field(default_factory=dict)


FAULTS = {
    "wrong password": Fault("login", "wrong user name or password", settings={"password": "Not-this-one"}),
    "wrong user": Fault("login", "wrong user name or password", settings={"username": "stranger"}),
    "no such name": Fault("name", "nowhere.invalid: no such name", settings={"host": "nowhere.invalid"}),
    "certificate for another name": Fault(
        "tls", "the certificate is for .*{engine}.{domain}.*, not other-{engine}.{domain}",
        settings={"host": "other-{engine}.{domain}"},
    ),
    "expired certificate": Fault("tls", "the certificate has expired on 20..-..-..", state="expired"),
    "unknown authority": Fault("tls", "the certificate's authority is unknown", state="stranger"),
    "no TLS": Fault("tls", "offers? (no )?TLS", state="plain"),
    "stopped server": Fault("tcp", "{engine}.{domain} .*connection refused", state="stopped"),
}  # fmt: skip


def test_backend_is_up_with_tls(good: str, rig: Rig) -> None:
    """Name, TCP, TLS, login and statement work."""
    report = rig.ask(good)
    assert (report["up"], report["failed_stage"], report["detail"], report["tls"], report["exit_code"]) == (
        True, None, None, "TLSv1.3", 0,
    )  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_named(fault: str, engine: str, rig: Rig) -> None:
    """The step and the cause are told to operators, and the exit code is 6."""
    wanted = FAULTS[fault]
    places = {"engine": engine, "domain": rig.domain}
    rig.put(engine, wanted.state)
    rig.configure(engine, **{name: value.format(**places) for name, value in wanted.settings.items()})
    report = rig.ask(engine)
    assert (report["failed_stage"], report["exit_code"]) == (wanted.stage, 6)
    assert re.search(wanted.says.format(**places), report["detail"])


@pytest.mark.parametrize("fault", ["wrong password", "wrong user", "certificate for another name"])
def test_fault_is_told_to_everyone_without_names(fault: str, engine: str, rig: Rig) -> None:
    """What /status shows names no host and no user; nothing shows a password."""
    wanted = FAULTS[fault]
    places = {"engine": engine, "domain": rig.domain}
    rig.put(engine, wanted.state)
    rig.configure(engine, **{name: value.format(**places) for name, value in wanted.settings.items()})
    report = rig.ask(engine)
    hidden = [word for word in (rig.domain, "shop", "stranger") if word in report["message"]]
    assert (hidden, rig.password in report["output"]) == ([], False)


def test_missing_database_is_named(good: str, rig: Rig) -> None:
    """A login that works may still lead to no database. memcached has none."""
    rig.configure(good, database="99" if good == "redis" else "elsewhere")
    report = rig.ask(good)
    told = (report["failed_stage"], "no such database" in str(report["detail"]))
    assert told == (("login", True) if good in DATABASES else (None, False))


def test_missing_password_is_a_failed_login(good: str, rig: Rig) -> None:
    """Nobody is let in without the password."""
    rig.configure(good, password="")
    assert rig.ask(good)["failed_stage"] == "login"


def test_silent_server_is_given_up(good: str, silent: str, rig: Rig) -> None:
    """A server that answers no more costs the time-out, not a minute."""
    started = time.monotonic()
    report = rig.ask(silent)
    assert (report["failed_stage"], time.monotonic() - started < 15) == ("tls", True)
    assert "no answer to the TLS handshake within 3 s" in report["detail"]


def test_backend_is_up_again(good: str, rig: Rig) -> None:
    """Once everything is right again the backend is up, without anything done on the server."""
    assert rig.ask(good)["up"] is True
