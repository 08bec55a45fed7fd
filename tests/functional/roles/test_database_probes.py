"""How the probes of role database_client begin TLS, on bytes recorded from Debian 12's MariaDB 10.11 and PostgreSQL 15.

The same on the servers themselves: tests/backends.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.functional.roles.probes import connectivity, probe

WITH_TLS = bytes.fromhex(
    "640000000a352e352e352d31302e31312e31392d4d6172696144422d302b64656231327531001c000000295a6e386b35647600feff2d0200ff81"
    "150000000000001d00000049466444665762634a2b3873006d7973716c5f6e61746976655f70617373776f726400"
)
WITHOUT_TLS = bytes.fromhex(
    "640000000a352e352e352d31302e31312e31392d4d6172696144422d302b646562313275310005000000352660347c3b4c4c00fef72d0200ff81"
    "150000000000001d00000078394f63252e533a677a4f5a006d7973716c5f6e61746976655f70617373776f726400"
)
BLOCKED = bytes.fromhex(
    "6a000000ff6904486f7374202731302e36322e312e352720697320626c6f636b65642062656361757365206f66206d616e7920636f6e6e6563"
    "74696f6e206572726f72733b20756e626c6f636b207769746820276d6172696164622d61646d696e20666c7573682d686f73747327"
)
SECRET_LESS_REQUEST = bytes.fromhex("20000001008a0000000000012d" + "00" * 23)
NO_MYSQL = {
    "SSH": b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
    "HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "redis": b"-ERR unknown command\r\n",
    "an old protocol": b"\x05\x00\x00\x00\x095.0\x00",
    "an empty packet": b"\x00\x00\x00\x00",
    "a second packet first": WITH_TLS[:3] + b"\x01" + WITH_TLS[4:],
}


class MySQLError(Exception):
    """PyMySQL's, as far as the probe knows it."""


@pytest.fixture(scope="module")
def mysql() -> Iterator[ModuleType]:
    """The probe of MySQL."""
    driver = ModuleType("pymysql")
    vars(driver).update(MySQLError=MySQLError)
    with probe("database_client", "mysql", {"pymysql": driver}) as module:
        yield module


@pytest.fixture(scope="module")
def postgresql() -> Iterator[ModuleType]:
    """The probe of PostgreSQL."""
    driver = ModuleType("psycopg2")
    vars(driver).update(Error=type("Error", (Exception,), {}))
    with probe("database_client", "postgresql", {"psycopg2": driver}) as module:
        yield module


def talk(module: ModuleType, said: bytes) -> tuple[bytes, bytes]:
    """Return what the probe sends to a server that says some bytes and hangs up, and what it has left unread."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(5)
        theirs.sendall(said)
        theirs.shutdown(socket.SHUT_WR)
        module.start_tls(ours)
        ours.setblocking(False)
        return theirs.recv(4096), read_rest(ours)


def read_rest(plug: socket.socket) -> bytes:
    """Return what has not been read yet."""
    rest = b""
    while chunk := plug.recv(4096):
        rest += chunk
    return rest


def test_mysql_that_offers_tls_is_asked_for_it(mysql: ModuleType) -> None:
    """The request is Protocol::SSLRequest and holds nothing else, no user name above all."""
    assert talk(mysql, WITH_TLS) == (SECRET_LESS_REQUEST, b"")


def test_mysql_greeting_is_read_to_its_end_and_not_further(mysql: ModuleType) -> None:
    """What follows belongs to TLS."""
    assert talk(mysql, WITH_TLS + b"\x16\x03\x03")[1] == b"\x16\x03\x03"


def test_mysql_without_tls_is_refused(mysql: ModuleType) -> None:
    """Nothing goes on in clear."""
    with pytest.raises(mysql.Refused, match=r"^the server offers no TLS$"):
        talk(mysql, WITHOUT_TLS)


def test_mysql_that_blocks_the_host_says_so(mysql: ModuleType) -> None:
    """An error in place of the greeting is told in words; the host's name is for operators only."""
    with pytest.raises(mysql.Refused, match="blocks this host after too many broken connections") as caught:
        talk(mysql, BLOCKED)
    assert ("10.62.1.5" in caught.value.message, "10.62.1.5" in caught.value.detail) == (False, True)


@pytest.mark.parametrize("kind", NO_MYSQL)
def test_other_server_is_no_mysql(kind: str, mysql: ModuleType) -> None:
    """Whoever else answers on the port is not waited for."""
    with pytest.raises(mysql.Refused, match=r"^no MySQL server answers on this port$"):
        talk(mysql, NO_MYSQL[kind])


@pytest.mark.parametrize("length", [0, 1, 3, 4, 20, len(WITH_TLS) - 1])
def test_mysql_that_hangs_up_is_noticed(length: int, mysql: ModuleType) -> None:
    """A greeting that is cut short is no greeting."""
    with pytest.raises(EOFError):
        talk(mysql, WITH_TLS[:length])


@given(said=st.binary(max_size=200) | st.binary(max_size=60).map(lambda rest: WITH_TLS[:30] + rest))
def test_mysql_probe_knows_what_to_make_of_anything(said: bytes) -> None:
    """Whatever a server says, it is TLS, a refusal or a hang-up."""
    driver = ModuleType("pymysql")
    vars(driver).update(MySQLError=MySQLError)
    with probe("database_client", "mysql", {"pymysql": driver}) as module:
        try:
            sent, _ = talk(module, said)
        except (module.Refused, EOFError):
            return
        assert sent == SECRET_LESS_REQUEST


@pytest.mark.parametrize("size", [0, 1, 5, 300])
def test_short_greeting_offers_nothing(size: int, mysql: ModuleType) -> None:
    """A greeting whose capabilities are missing offers no TLS."""
    greeting = b"\x0a" + b"8" * size
    with pytest.raises(mysql.Refused):
        talk(mysql, struct.pack("<I", len(greeting)) + greeting)


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (1045, "wrong user name or password"),
        (1698, "wrong user name or password"),
        (1044, "no such database, or this user may not use it"),
        (1049, "no such database"),
        (1040, "the server has too many connections"),
        (3159, "the server accepts encrypted connections only, and tls is false"),
        (2013, "the connection broke"),
        (1999, "the server answers error 1999"),
    ],
)
def test_mysql_error_is_told_in_words(number: int, says: str, mysql: ModuleType) -> None:
    """The sentence for everyone is the cause alone; the one for operators has the server's words and its number."""
    message, detail = mysql.explain(number, "Access denied for user 'shop'@'10.0.0.1'")
    assert (message, detail) == (says, f"{says}: Access denied for user 'shop'@'10.0.0.1' ({number})")


def test_postgresql_that_offers_tls_is_asked_for_it(postgresql: ModuleType) -> None:
    """The request is SSLRequest; of what follows the answer nothing is read before TLS."""
    assert talk(postgresql, b"S" + b"in clear") == (bytes.fromhex("0000000804d2162f"), b"in clear")


def test_postgresql_without_tls_is_refused(postgresql: ModuleType) -> None:
    """Nothing goes on in clear."""
    with pytest.raises(postgresql.Refused, match=r"^the server offers no TLS$"):
        talk(postgresql, b"N")


@pytest.mark.parametrize("said", [b"E\x00\x00", b"H", b"\x00"])
def test_other_server_is_no_postgresql(said: bytes, postgresql: ModuleType) -> None:
    """Whoever else answers on the port is told apart; unprotected words of it are not repeated."""
    with pytest.raises(postgresql.Refused, match=r"^no PostgreSQL server answers on this port$"):
        talk(postgresql, said)


def test_postgresql_that_hangs_up_is_noticed(postgresql: ModuleType) -> None:
    """No answer is no offer."""
    with pytest.raises(EOFError):
        talk(postgresql, b"")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('FATAL:  password authentication failed for user "shop"', "wrong user name or password"),
        ("fe_sendauth: no password supplied", "wrong user name or password"),
        ('FATAL:  database "elsewhere" does not exist', "no such database"),
        ('FATAL:  role "stranger" does not exist', "wrong user name or password"),
        (
            'FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "shop", database "shop", no encryption',
            "the server accepts encrypted connections only, and tls is false",
        ),
        (
            'FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "shop", database "shop", SSL encryption',
            "the server lets nobody in from this host with this user and database",
        ),
        ("FATAL:  sorry, too many clients already", "the server has too many connections"),
        ("FATAL:  the database system is starting up", "the server is starting up or shutting down"),
        ("FATAL:  Passwort-Authentifizierung fehlgeschlagen", "the login failed"),
    ],
)
def test_postgresql_error_is_told_in_words(text: str, says: str, postgresql: ModuleType) -> None:
    """libpq gives no number: the cause is in the server's words, which operators see whole, on one line."""
    message, detail = postgresql.explain(f'connection to server at "db" (10.0.0.2),\n  port 5432 failed: {text}\n')
    assert (message, "\n" in detail, " ".join(text.split()) in detail) == (says, False, True)


@pytest.mark.parametrize(
    ("tls", "ca_file", "wanted"),
    [
        (True, "/ca.pem", {"sslmode": "verify-full", "sslrootcert": "/ca.pem"}),
        (True, None, {"sslmode": "verify-full", "sslrootcert": "/etc/ssl/certs/ca-certificates.crt"}),
        (False, None, {"sslmode": "disable"}),
    ],
)
def test_libpq_verifies_what_was_wanted(
    tls: bool, ca_file: str | None, wanted: dict[str, str], postgresql: ModuleType
) -> None:
    """libpq's own TLS is as strict as the program's, and what is empty is left to it."""
    backend = connectivity.Backend("database", "main", "postgresql", "db", 5432, "shop", ca_file=ca_file, timeout=1)
    seen = postgresql.parameters(backend, object() if tls else None)
    assert {name: value for name, value in seen.items() if name.startswith("ssl")} == wanted
    assert (seen["connect_timeout"], "dbname" in seen, "password" in seen) == (2, False, False)
