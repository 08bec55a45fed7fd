"""How goldfleet-connectivity asks memcached; the driver is pymemcache.

A login is ASCII authentication (`memcached --auth-file`): a `set` of any key with "user password" as its value. A server
that wants no login would STORE that value for everyone to read. So the server is first asked without a login, and gets
the password only after it has refused. Source: memcached's doc/protocol.txt, "Authentication".
"""

import time

from goldfleet_connectivity import LoginError, StatementError
from pymemcache.client.base import Client
from pymemcache.exceptions import MemcacheClientError, MemcacheError

ANY_KEY = "goldfleet"


def check(backend, _, context):
    """Log in if the server wants it and ask for its version."""
    client = Client(
        (backend.host, backend.port), tls_context=context, connect_timeout=backend.timeout, timeout=backend.timeout,
        default_noreply=False, encoding="utf-8",
    )
    started = time.monotonic()
    try:
        wants_login = log_in_if_wanted(client, backend)
        logged_in = time.monotonic()
        version = ask_version(client)
    finally:
        client.close()
    return {
        "login_seconds": logged_in - started, "statement_seconds": time.monotonic() - logged_in,
        "server": version, "wants_login": wants_login,
    }


def log_in_if_wanted(client, backend):
    """Return whether the server wants a login, which then has been done."""
    try:
        client.version()
    except MemcacheClientError:
        client.close()
        log_in(client, backend)
        return True
    except (MemcacheError, OSError) as error:
        raise LoginError("the connection broke", f"the connection broke: {error or type(error).__name__}") from error
    return False


def log_in(client, backend):
    """Give user and password to a server that has asked for them."""
    if not backend.password:
        raise LoginError("the server wants a password, and the settings have none")
    try:
        client.set(ANY_KEY, f"{backend.username} {backend.password}")
    except MemcacheClientError as error:
        raise LoginError("wrong user name or password") from error
    except (MemcacheError, OSError) as error:
        raise LoginError("the connection broke", f"the connection broke: {error or type(error).__name__}") from error


def ask_version(client):
    """Return the server's version."""
    try:
        return client.version().decode(errors="replace")
    except (MemcacheError, OSError) as error:
        raise StatementError("version failed", f"version: {error or type(error).__name__}") from error
