"""How goldfleet-connectivity asks PostgreSQL; the driver is psycopg2, libpq that is.

libpq tells no SQLSTATE of a failed login, so the cause is read from the server's words: in another language than English
they are shown as they are. Source: PostgreSQL's documentation, "Message Formats" (SSLRequest) and "SSL Session Encryption".
"""

import math
import re
import struct
import time

import psycopg2
from goldfleet_connectivity import LoginError, Refused, StatementError

SSL_REQUEST = struct.pack(">II", 8, 80877103)
SYSTEM_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
CAUSES = (
    ("password authentication failed|no password supplied", "wrong user name or password"),
    ("no pg_hba.conf entry .*no encryption", "the server accepts encrypted connections only, and tls is false"),
    ("no pg_hba.conf entry|rejects connection", "the server lets nobody in from this host with this user and database"),
    ('role ".*" does not exist', "wrong user name or password"),
    ('database ".*" does not exist', "no such database"),
    ("permission denied for database", "this user may not use the database"),
    ("is not permitted to log in", "the account is locked"),
    ("too many (clients|connections)|connection slots are reserved", "the server has too many connections"),
    ("starting up|shutting down|in recovery", "the server is starting up or shutting down"),
    ("timeout expired", "no answer to the login in time"),
)


def start_tls(plug):
    """Ask for TLS; raises Refused when the server offers none."""
    plug.sendall(SSL_REQUEST)
    # One byte and not more: what came after it in clear would be taken for the server's word under TLS.
    answer = plug.recv(1)
    if not answer:
        raise EOFError("the server closed the connection")
    if answer == b"N":
        raise Refused("the server offers no TLS")
    if answer != b"S":
        raise Refused("no PostgreSQL server answers on this port")


def check(backend, _, context):
    """Log in and run SHOW server_version."""
    started = time.monotonic()
    try:
        connection = psycopg2.connect(**parameters(backend, context))
    except psycopg2.Error as error:
        raise LoginError(*explain(str(error))) from error
    logged_in = time.monotonic()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_version")
            (version,) = cursor.fetchone()
    except psycopg2.Error as error:
        raise StatementError("SHOW failed", f"SHOW server_version: {one_line(str(error))}") from error
    finally:
        connection.close()
    return {
        "login_seconds": logged_in - started, "statement_seconds": time.monotonic() - logged_in, "server": version,
    }


def parameters(backend, context):
    """Return libpq's parameters. It has TLS settings of its own; what is empty is left to its defaults."""
    wanted = {
        "host": backend.host, "port": backend.port, "user": backend.username, "password": backend.password,
        "dbname": backend.database, "connect_timeout": max(2, math.ceil(backend.timeout)),
        "application_name": "goldfleet-connectivity", "sslmode": "disable" if context is None else "verify-full",
        "sslrootcert": "" if context is None else backend.ca_file or SYSTEM_AUTHORITIES,
    }
    return {name: value for name, value in wanted.items() if value != ""}


def explain(text):
    """Return the sentence for everyone and the one for operators."""
    cause = next((said for pattern, said in CAUSES if re.search(pattern, text, re.DOTALL)), "the login failed")
    return cause, f"{cause}: {one_line(text)}"


def one_line(text):
    """Return a message without its line breaks."""
    return " ".join(text.split())
