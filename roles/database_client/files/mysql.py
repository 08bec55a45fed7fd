"""How goldfleet-connectivity asks MySQL and MariaDB; the driver is PyMySQL.

Sources: MySQL Internals, "Protocol::HandshakeV10", "Protocol::SSLRequest" and "ERR_Packet"; MySQL and MariaDB error references.
"""

import struct
import time

import pymysql
from goldfleet_connectivity import LoginError, Refused, StatementError

PROTOCOL_41, TLS, SECURE_CONNECTION = 0x0200, 0x0800, 0x8000
LARGEST_PACKET, UTF8MB4 = 1 << 24, 45
SSL_REQUEST = b"\x20\x00\x00\x01" + struct.pack("<IIB23x", PROTOCOL_41 | TLS | SECURE_CONNECTION, LARGEST_PACKET, UTF8MB4)
HANDSHAKE, ERROR, LARGEST_GREETING = 0x0A, 0xFF, 4096
CAUSES = {
    1040: "the server has too many connections",
    1044: "no such database, or this user may not use it",
    1045: "wrong user name or password",
    1049: "no such database",
    1129: "the server blocks this host after too many broken connections, until its host cache is flushed",
    1130: "the server lets nobody in from this host",
    1203: "this user has too many connections",
    1226: "this user has used up what it may",
    1251: "the server wants a way to log in that the driver does not know",
    1698: "wrong user name or password",
    1820: "the password has expired",
    1862: "the password has expired",
    2059: "the server wants a way to log in that the driver does not know",
    3118: "the account is locked",
    3159: "the server accepts encrypted connections only, and tls is false",
    4151: "the account is locked",
}


def start_tls(plug):
    """Read the server's greeting and ask for TLS; raises Refused when it offers none."""
    (length,) = struct.unpack("<I", read(plug, 3) + b"\x00")
    sequence = read(plug, 1)
    if sequence != b"\x00" or not 0 < length <= LARGEST_GREETING:
        raise Refused("no MySQL server answers on this port")
    greeting = read(plug, length)
    if greeting[0] == ERROR:
        raise Refused(*explain(*parse_error(greeting)))
    if greeting[0] != HANDSHAKE:
        raise Refused("no MySQL server answers on this port")
    if not parse_capabilities(greeting) & TLS:
        raise Refused("the server offers no TLS")
    plug.sendall(SSL_REQUEST)


def check(backend, _, context):
    """Log in and run SELECT VERSION()."""
    started = time.monotonic()
    try:
        connection = pymysql.connect(
            host=backend.host, port=backend.port, user=backend.username, password=backend.password,
            database=backend.database or None, ssl=context, connect_timeout=backend.timeout,
            read_timeout=backend.timeout, write_timeout=backend.timeout,
        )
    except pymysql.MySQLError as error:
        raise LoginError(*explain(*error.args[:2])) from error
    logged_in = time.monotonic()
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT VERSION()")
            (version,) = cursor.fetchone()
            # PyMySQL goes on in clear when a server that has just offered TLS offers it no more.
            cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
            if context is not None and not cursor.fetchone()[1]:
                raise LoginError("the server has let the login pass without encryption")
    except pymysql.MySQLError as error:
        raise StatementError("SELECT failed", f"SELECT VERSION(): {error}") from error
    return {
        "login_seconds": logged_in - started, "statement_seconds": time.monotonic() - logged_in, "server": version,
    }


def read(plug, size):
    """Return exactly so many bytes; not one more, since TLS begins after them."""
    seen = b""
    while len(seen) < size:
        chunk = plug.recv(size - len(seen))
        if not chunk:
            raise EOFError("the server closed the connection")
        seen += chunk
    return seen


def parse_capabilities(greeting):
    """Return the lower capability flags of a greeting, 0 when it is cut short."""
    after_version = greeting.find(b"\x00", 1) + 1
    flags = greeting[after_version + 13:after_version + 15]
    return struct.unpack("<H", flags)[0] if after_version and len(flags) == 2 else 0


def parse_error(packet):
    """Return (number, text) of an error packet; before the login it has no SQL state."""
    number = struct.unpack("<H", packet[1:3])[0] if len(packet) >= 3 else 0
    return number, packet[3:].decode(errors="replace")


def explain(number, text=""):
    """Return the sentence for everyone and the one for operators."""
    said = CAUSES.get(number, f"the server answers error {number}" if number < 2000 or number > 2999 else "the connection broke")
    return said, f"{said}: {text} ({number})"
