"""How the probes of role cache_client log in, on models of the drivers; on real servers: tests/backends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest

from tests.functional.roles.probes import connectivity, probe


class MemcacheError(Exception):
    """pymemcache's."""


class MemcacheClientError(MemcacheError):
    """pymemcache's."""


@dataclass
class Memcached:
    """A memcached with or without a login, as pymemcache's client shows it."""

    login: bytes | None = None
    let_in: bool = False
    stored: dict[str, str] = field(default_factory=dict)

    def __call__(self, *_: Any, **__: Any) -> Memcached:
        """Be the client's class, too."""
        return self

    def version(self) -> bytes:
        """Answer to whoever is logged in."""
        if self.login is not None and not self.let_in:
            raise MemcacheClientError(b"unauthenticated")
        return b"1.6.18"

    def set(self, key: str, value: str) -> bool:
        """Take a login, or store a value where no login is wanted."""
        if self.login is None:
            self.stored[key] = value
        elif value.encode() != self.login:
            raise MemcacheClientError(b"authentication failure")
        self.let_in = True
        return True

    def close(self) -> None:
        """Forget the login."""
        self.let_in = False


def ask_memcached(server: Memcached, **settings: str) -> dict[str, Any]:
    """Return what the probe says about a server."""
    client, errors = ModuleType("pymemcache.client.base"), ModuleType("pymemcache.exceptions")
    vars(client).update(Client=server)
    vars(errors).update(MemcacheError=MemcacheError, MemcacheClientError=MemcacheClientError)
    parents = {name: ModuleType(name) for name in ("pymemcache", "pymemcache.client")}
    drivers = {**parents, client.__name__: client, errors.__name__: errors}
    with probe("cache_client", "memcached", drivers) as module:
        backend = connectivity.Backend("cache", "pages", "memcached", "cache", 11211, **settings)
        try:
            told: dict[str, Any] = module.check(backend, ("10.0.0.1", 11211), None)
        except module.LoginError as error:
            return {"login": error.message}
        return told


def test_memcached_is_asked_for_its_version() -> None:
    """A server without a login is up."""
    told = ask_memcached(Memcached())
    assert (told["server"], told["wants_login"]) == ("1.6.18", False)


def test_memcached_with_a_login_gets_it() -> None:
    """User and password go to a server that asks for them."""
    told = ask_memcached(Memcached(b"shop secret"), username="shop", password="secret")
    assert (told["server"], told["wants_login"]) == ("1.6.18", True)


def test_memcached_without_a_login_never_stores_the_password() -> None:
    """What would be a login is an ordinary value there, for everyone to read."""
    server = Memcached()
    ask_memcached(server, username="shop", password="secret")
    assert server.stored == {}


@pytest.mark.parametrize(
    ("password", "says"),
    [("wrong", "wrong user name or password"), ("", "the server wants a password, and the settings have none")],
)
def test_memcached_that_lets_nobody_in_says_why(password: str, says: str) -> None:
    """A refused login and a missing one are told apart."""
    assert ask_memcached(Memcached(b"shop secret"), username="shop", password=password) == {"login": says}


@pytest.fixture(scope="module")
def redis() -> Iterator[ModuleType]:
    """The probe of Redis."""
    driver = ModuleType("redis")
    vars(driver).update(RedisError=type("RedisError", (Exception,), {}))
    with probe("cache_client", "redis", {"redis": driver}) as module:
        yield module


def make_backend(**settings: Any) -> Any:
    """Return a Redis to ask."""
    return connectivity.Backend("cache", "sessions", "redis", "cache", 6379, **settings)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("WRONGPASS invalid username-password pair or user is disabled.", "wrong user name or password"),
        ("invalid username-password pair or user is disabled.", "wrong user name or password"),
        ("invalid password", "wrong user name or password"),
        ("Authentication required.", "the server wants a password, and the settings have none"),
        (
            "AUTH <password> called without any password configured for the default user. Are you sure?",
            "the server has no password, and the settings have one",
        ),
        ("DB index is out of range", "no such database"),
        ("max number of clients reached", "the server has too many connections"),
        ("Redis is loading the dataset in memory", "the server is starting up"),
        ("Connection closed by server.", "the login failed"),
    ],
)
def test_redis_error_is_told_in_words(text: str, says: str, redis: ModuleType) -> None:
    """The cause for everyone, and the server's words for operators."""
    assert redis.explain(text) == (says, f"{says}: {text}")


def test_redis_connection_is_verified(redis: ModuleType) -> None:
    """redis-py checks no name unless told to."""
    seen = redis.parameters(make_backend(ca_file="/ca.pem"), object())
    assert {name: seen[name] for name in seen if name.startswith("ssl")} == {
        "ssl": True, "ssl_cert_reqs": "required", "ssl_check_hostname": True, "ssl_ca_certs": "/ca.pem",
    }  # fmt: skip


def test_redis_without_tls_has_none(redis: ModuleType) -> None:
    """Without a context nothing of TLS is set."""
    assert [name for name in redis.parameters(make_backend(tls=False), None) if name.startswith("ssl")] == []


def test_redis_database_is_a_number(redis: ModuleType) -> None:
    """A name where Redis wants a number is told as such."""
    with pytest.raises(redis.LoginError, match="no such database") as caught:
        redis.parameters(make_backend(database="shop"), None)
    assert "'shop'" in caught.value.detail
