"""How goldfleet-connectivity asks Redis, and what speaks like it; the driver is redis-py.

Source: Redis's documentation, "AUTH", "SELECT" and "ACL", and the error texts in its acl.c, db.c and server.c.
"""

import re
import time

import redis
from goldfleet_connectivity import LoginError, StatementError

CAUSES = (
    ("WRONGPASS|invalid username-password|invalid password", "wrong user name or password"),
    ("NOAUTH|Authentication required", "the server wants a password, and the settings have none"),
    ("without any password configured|no password is set", "the server has no password, and the settings have one"),
    ("DENIED", "the server lets nobody in from elsewhere while it has no password"),
    ("max number of clients", "the server has too many connections"),
    ("DB index|invalid DB|SELECT is not allowed", "no such database"),
    ("LOADING|loading the dataset", "the server is starting up"),
    ("Timeout|timed out", "no answer to the login in time"),
)


def check(backend, _, context):
    """Log in and PING."""
    client = redis.Redis(**parameters(backend, context))
    started = time.monotonic()
    try:
        # The first command connects, logs in and chooses the database; the second one is the statement alone.
        ping(client)
        logged_in = time.monotonic()
        ping(client)
    except redis.exceptions.NoPermissionError as error:
        raise StatementError("this user may not PING", f"PING: {error}") from error
    except redis.RedisError as error:
        raise LoginError(*explain(str(error))) from error
    finally:
        client.close()
    return {"login_seconds": logged_in - started, "statement_seconds": time.monotonic() - logged_in}


def ping(client):
    """Run PING; a server that lives may still answer nonsense."""
    if client.ping() is not True:
        raise StatementError("the server does not answer PING with PONG")


def parameters(backend, context):
    """Return what redis-py is given. It makes a TLS context of its own."""
    if not re.fullmatch("[0-9]*", backend.database):
        raise LoginError("no such database", f"Redis numbers its databases, and the setting is '{backend.database}'")
    wanted = {
        "host": backend.host, "port": backend.port, "db": int(backend.database or 0),
        "username": backend.username or None, "password": backend.password or None,
        "socket_connect_timeout": backend.timeout, "socket_timeout": backend.timeout,
    }
    if context is None:
        return wanted
    return {**wanted, "ssl": True, "ssl_cert_reqs": "required", "ssl_check_hostname": True, "ssl_ca_certs": backend.ca_file}


def explain(text):
    """Return the sentence for everyone and the one for operators."""
    cause = next((said for pattern, said in CAUSES if re.search(pattern, text)), "the login failed")
    return cause, f"{cause}: {text}"
