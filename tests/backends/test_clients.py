"""The clients that an application and its operators use, as the roles have configured them, on real servers.

Each connects encrypted under the right name, and refuses the same server under a name that is not in its certificate;
redis-cli, which knows no names, refuses at least an authority that it was not told of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.backends.conftest import read_scenario

if TYPE_CHECKING:
    from tests.backends.conftest import Rig

COMPANY = "/usr/local/share/goldfleet/ca/database-company.pem"
CLIENTS = {
    "mariadb": (
        "mysql",
        "MYSQL_PWD=$PASSWORD mariadb --defaults-group-suffix=_main --host=$HOST --user=shop --batch --skip-column-names "
        "--execute \"SELECT VARIABLE_VALUE <> '' FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'Ssl_cipher'\"",
    ),
    "psql": (
        "postgresql",
        'PGPASSWORD=$PASSWORD psql "service=reports host=$HOST user=shop dbname=shop" --no-align --tuples-only '
        "--command 'SELECT ssl::int FROM pg_stat_ssl WHERE pid = pg_backend_pid()'",
    ),
    "PHP, PDO for MySQL": (
        "mysql",
        'php -r \'$it = new PDO("mysql:host=" . getenv("HOST") . ";dbname=shop", "shop", getenv("PASSWORD"), '
        f'[PDO::MYSQL_ATTR_SSL_CA => "{COMPANY}", PDO::ATTR_TIMEOUT => 3]); '
        'echo (int) ($it->query("SHOW STATUS LIKE \\"Ssl_cipher\\"")->fetch()[1] !== "");\'',
    ),
    "PHP, pgsql by the service": (
        "postgresql",
        'php -r \'$it = pg_connect("service=reports user=shop dbname=shop host=" . getenv("HOST") . '
        '" password=" . getenv("PASSWORD")) or exit(1); '
        'echo pg_fetch_result(pg_query($it, "SELECT ssl::int FROM pg_stat_ssl WHERE pid = pg_backend_pid()"), 0, 0);\'',
    ),
    "redis-cli": (
        "redis",
        "REDISCLI_AUTH=$PASSWORD redis-cli --tls --cacert /usr/local/share/goldfleet/ca/cache-company.pem --sni $HOST "
        "-h $HOST --user shop --no-auth-warning PING | sed s/PONG/1/",
    ),
    "Python, redis": (
        "redis",
        'python3 -c \'import os, redis; print(int(redis.Redis(os.environ["HOST"], ssl=True, ssl_check_hostname=True, '
        'ssl_ca_certs="/usr/local/share/goldfleet/ca/cache-company.pem", username="shop", '
        'password=os.environ["PASSWORD"]).ping()))\'',
    ),
    "Python, pymemcache": (
        "memcached",
        "python3 -c 'import os, ssl; from pymemcache.client.base import Client; "
        'it = Client((os.environ["HOST"], 11211), tls_context=ssl.create_default_context(), default_noreply=False); '
        'it.set("any", "shop " + os.environ["PASSWORD"]); print(int(it.set("a", "b")))\'',
    ),
}

WITHOUT_NAMES = ("redis-cli",)


@pytest.fixture
def client(request: pytest.FixtureRequest, rig: Rig) -> str:
    """A client of an engine that runs as it should."""
    name: str = request.param
    rig.put(CLIENTS[name][0], "good")
    return name


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give one test to each client of the engines that the scenario has."""
    if "client" in metafunc.fixturenames:
        engines = read_scenario()["engines"]
        metafunc.parametrize("client", [name for name, one in CLIENTS.items() if one[0] in engines], indirect=True)


def test_client_connects_encrypted(client: str, rig: Rig) -> None:
    """The client logs in over TLS."""
    engine, command = CLIENTS[client]
    done = rig.run(command, HOST=f"{engine}.{rig.domain}", PASSWORD=rig.password)
    assert (done.stdout.strip(), done.returncode) == ("1", 0), done.stderr


def test_client_refuses_what_it_cannot_verify(client: str, rig: Rig) -> None:
    """A server that cannot show a certificate for the name that was asked for gets no password."""
    engine, command = CLIENTS[client]
    if client in WITHOUT_NAMES:
        rig.put(engine, "stranger")
    host = engine if client in WITHOUT_NAMES else f"other-{engine}"
    done = rig.run(command, HOST=f"{host}.{rig.domain}", PASSWORD=rig.password)
    assert done.stdout.strip() != "1"
