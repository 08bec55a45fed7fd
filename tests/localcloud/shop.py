"""An application named shop in the local cloud: its backends, its settings, its instance profile, and what its servers say."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from tests.functional.roles.tls_servers import Authority
from tests.localcloud.conftest import Cloud, wait_for
from tests.localcloud.test_inside import TRUST

PATH = "/goldfleet/production/shop"
PASSWORD = "m9-Wd7pKx2"
POLICY = json.dumps({
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "ssm:GetParametersByPath", "Resource": f"arn:aws:ssm:*:*:parameter{PATH}"},
        {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue",
         "Resource": "arn:aws:secretsmanager:*:*:secret:goldfleet/production/shop/*"},
    ],
})  # fmt: skip
INSTALL = (
    "sudo apt-get update -qq && sudo DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends"
)
MARIADB = """
sudo install -o mysql -m 0600 server.pem /etc/mysql/server.pem
sudo tee /etc/mysql/mariadb.conf.d/90-tls.cnf >/dev/null <<'END'
[mysqld]
bind-address = 0.0.0.0
ssl_cert = /etc/mysql/server.pem
ssl_key = /etc/mysql/server.pem
require_secure_transport = ON
END
sudo systemctl restart mariadb
sudo mariadb --execute="CREATE DATABASE shop; CREATE USER shop@'%' IDENTIFIED BY '{password}'; GRANT ALL ON shop.* TO shop@'%'"
"""
REDIS = """
sudo install -o redis -m 0600 server.pem /etc/redis/server.pem
sudo tee -a /etc/redis/redis.conf >/dev/null <<'END'
bind 0.0.0.0
port 0
tls-port 6379
tls-cert-file /etc/redis/server.pem
tls-key-file /etc/redis/server.pem
tls-auth-clients no
requirepass {password}
END
sudo systemctl restart redis-server
"""


def backend(cloud: Cloud, authority: Authority, package: str, script: str) -> str:
    """Start a machine with a server whose certificate is for the machine's name; return its instance."""
    groups = ["--security-groups", "tests", "app-server-backends"]
    (instance_id,) = cloud.launch(*groups)
    certificate = authority.issue(cloud.wait_state(instance_id, "running")["PrivateDnsName"])
    cloud.ssh(instance_id, f"cat > server.pem <<'END'\n{certificate.read_text()}END\n")
    cloud.ssh(instance_id, f"{INSTALL} {package} && set -e\n{script.format(password=PASSWORD)}")
    return instance_id


def name_of(cloud: Cloud, instance_id: str) -> str:
    """Return the name of a machine inside its network."""
    return str(cloud.instance(instance_id)["PrivateDnsName"])


def put(cloud: Cloud, name: str, value: str, kind: str = "SecureString") -> None:
    """Make a parameter, or change it."""
    cloud.aws("ssm", "put-parameter", "--name", f"{PATH}/{name}", "--type", kind, "--value", value, "--overwrite")


def make_profile(cloud: Cloud) -> None:
    """Make the instance profile of the application's servers."""
    cloud.aws("iam", "create-role", "--role-name", "shop", "--assume-role-policy-document", TRUST)
    cloud.aws("iam", "put-role-policy", "--role-name", "shop", "--policy-name", "p", "--policy-document", POLICY)
    cloud.aws("iam", "create-instance-profile", "--instance-profile-name", "shop")
    cloud.aws("iam", "add-role-to-instance-profile", "--instance-profile-name", "shop", "--role-name", "shop")


def authorities(source: str, checksum: str) -> dict[str, Any]:
    """Return the settings of both clients that have them trust the authorities of one file."""
    bundles = [{"name": "own", "source": source, "sha256": checksum}]
    return {"database_client_ca_bundles": bundles, "cache_client_ca_bundles": bundles}


@dataclass(frozen=True)
class Shop:
    """What the application's servers use: the machine of its database, who signs certificates, where servers fetch its file."""

    database: str
    authority: Authority
    address: str

    @property
    def variables(self) -> dict[str, Any]:
        """The settings of the roles that make a server of it."""
        return {
            "app_settings_application": "shop",
            "app_settings_parameter_store": True,
            "app_settings_secrets": [
                {"secret_id": "goldfleet/{environment}/{application}/database", "prefix": "database/main"}
            ],
            "app_settings_required": ["database/main/password", "cache/sessions/password"],
            "database_client_backends": [{"name": "main", "engine": "mariadb", "ca_bundle": "own"}],
            "cache_client_backends": [{"name": "sessions", "engine": "redis", "ca_bundle": "own"}],
            **authorities(self.address, hashlib.sha256(self.authority.file.read_bytes()).hexdigest()),
        }


def open_shop(cloud: Cloud, authority: Authority) -> Shop:
    """Start the backends and write the settings: hosts and one password are parameters, the database's login a secret."""
    cloud.aws("ec2", "create-security-group", "--group-name", "app-server-backends", "--description", "backends")
    for port in ("3306", "6379"):
        cloud.aws("ec2", "authorize-security-group-ingress", "--group-name", "app-server-backends", "--protocol", "tcp",
                  "--port", port, "--cidr", "0.0.0.0/0")  # fmt: skip
    database = backend(cloud, authority, "mariadb-server", MARIADB)
    cache = backend(cloud, authority, "redis-server", REDIS)
    make_profile(cloud)
    put(cloud, "database/main/host", name_of(cloud, database))
    put(cloud, "cache/sessions/host", name_of(cloud, cache), "String")
    put(cloud, "cache/sessions/password", PASSWORD)
    login = json.dumps({"username": "shop", "password": PASSWORD, "dbname": "shop", "port": 3306})
    cloud.aws(
        "secretsmanager", "create-secret", "--name", "goldfleet/production/shop/database", "--secret-string", login
    )
    return Shop(database, authority, cloud.offer("authorities", "own.pem", authority.file.read_bytes()))


def health(cloud: Cloud, server: str) -> str:
    """Return the code that the load balancer would see, 000 when nobody answers."""
    url = f"http://{cloud.instance(server)['PrivateIpAddress']}/healthcheck.html"
    return cloud.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "2", url, check=False).stdout


def status(cloud: Cloud, server: str) -> dict[str, Any]:
    """Return what the server says of itself."""
    url = f"http://{cloud.instance(server)['PrivateIpAddress']}/status"
    seen: dict[str, Any] = json.loads(cloud.run("curl", "-sf", "--max-time", "5", url).stdout)
    return seen


def backends(cloud: Cloud, server: str) -> dict[str, dict[str, Any]]:
    """Return what /status says of the backends, by name; empty while it says nothing."""
    seen = status(cloud, server).get("backends", {"backends": []})
    return {f"{one['kind']}/{one['name']}": one for one in seen["backends"]}


def wait_in_service(cloud: Cloud, server: str) -> None:
    """Wait until the load balancer would send requests."""
    wait_for("in service", lambda: health(cloud, server) == "200", seconds=90)


def wait_up(cloud: Cloud, server: str) -> dict[str, dict[str, Any]]:
    """Wait until both backends are up and return what /status says of them."""

    def look() -> dict[str, dict[str, Any]] | None:
        seen = backends(cloud, server)
        return seen if len(seen) == 2 and all(one["up"] for one in seen.values()) else None

    return wait_for("both backends up", look, seconds=60)
