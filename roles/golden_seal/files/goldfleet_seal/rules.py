"""What must not be in an image: one list, which the seal removes by and the check looks by. Data only.

Sources: systemd's "Building Images Safely"; EC2 User Guide, "Guidelines for shared Linux AMIs"; EC2 Image Builder User Guide,
"Required post-build clean up"; cloudinit/cmd/clean.py; virt-sysprep's operations; ECS Developer Guide, "Creating a container
instance AMI". What is left on purpose, and why: README.md of role golden_seal.
"""

import re
from dataclasses import dataclass

REMOVE, REMOVE_IF_EMPTY, EMPTY, REFUSE = "remove", "remove if empty", "empty", "refuse"
HOME = "~"  # stands for /root, /home/* and every home folder of /etc/passwd
AGENT_STATE, AGENT_IDENTITY = "agent state", "agent identity"
ON_PREMISES = re.compile(rb"(?m)^\s*:?(?:iam_user_arn|iam_session_arn|aws_access_key_id):")
"""What the agent's configuration of a server on premises holds, wherever it is."""


@dataclass(frozen=True)
class Rule:
    """What must not be in an image: a kind, the patterns of its paths, and how a match is undone.

    keep names what may stay; holds makes only files a leftover whose content matches; text is what an emptied file holds.
    """

    kind: str
    patterns: tuple
    action: str = REMOVE
    keep: tuple = ()
    login: bool = False
    holds: object = None
    text: str = ""


@dataclass(frozen=True)
class Leftover:
    """One thing that must not be in an image. text is what an emptied file holds afterwards."""

    kind: str
    path: str
    action: str
    login: bool = False
    text: str = ""


@dataclass(frozen=True)
class Content:
    """What no file below the folders may hold. It is never removed: nobody can say who needs the file."""

    kind: str
    folders: tuple
    pattern: object
    hint: tuple


RULES = (
    # CodeDeploy: with the state of a deployment in the image every launch fails; deployed files go first, see deployed.py.
    Rule(AGENT_IDENTITY, ("/etc/codedeploy-agent/conf/codedeploy.onpremises.yml",)),
    Rule("agent updater", ("/etc/cron.d/codedeploy-agent-update",)),  # starts the agent even where it is disabled
    Rule("agent log", ("/var/log/aws/codedeploy-agent/*", "/var/log/amazon/ssm/*")),
    Rule("agent registration", (
        "/var/lib/amazon/ssm/*", "/var/snap/amazon-ssm-agent/common/*", "/var/lib/ecs/data/*",
        "/var/lib/ubuntu-advantage/private/*",
    )),
    Rule("cloud-init state", ("/var/lib/cloud/*",)),
    Rule("cloud-init configuration of the builder", (
        "/etc/netplan/50-cloud-init.yaml", "/etc/network/interfaces.d/50-cloud-init*",
        "/etc/NetworkManager/system-connections/cloud-init-*", "/etc/ssh/sshd_config.d/50-cloud-init.conf",
        "/etc/systemd/network/10-cloud-init-*",
    )),
    Rule("launch setting", ("/etc/goldfleet/environment",)),  # user data writes it: it is the builder's
    Rule("network card of the builder", ("/etc/udev/rules.d/70-persistent-net.rules",)),
    # Empty, not `uninitialized`: the next boot would be a first one, and enable every unit by preset.
    Rule("machine id", ("/etc/machine-id",), EMPTY, holds=re.compile(rb"\A\s*(?!uninitialized\s*\Z)\S")),
    # Debian's is a link to the other one.
    Rule("machine id", ("/var/lib/dbus/machine-id",), holds=re.compile(rb"\A\s*(?!uninitialized\s*\Z)\S")),
    Rule("machine id", ("/etc/hostid", "/etc/nvme/hostid", "/etc/nvme/hostnqn")),
    # open-iscsi needs the file and makes a name of its own when it says so.
    Rule("machine id", ("/etc/iscsi/initiatorname.iscsi",), EMPTY, holds=re.compile(rb"(?m)^InitiatorName="),
         text="GenerateName=yes\n"),
    Rule("ssh host key", ("/etc/ssh/ssh_host_*",)),
    # ssl-cert makes it once, when it is installed: every clone would answer with the same key.
    Rule("tls key of the builder", ("/etc/ssl/private/ssl-cert-snakeoil.key", "/etc/ssl/certs/ssl-cert-snakeoil.pem")),
    Rule("random seed", (
        "/var/lib/systemd/random-seed", "/var/lib/systemd/credential.secret", "/var/lib/urandom/random-seed",
        "/boot/loader/random-seed", "/boot/efi/loader/random-seed",
    )),
    # Ansible's hostname module writes the second one too. An empty one names nobody: a container's mount leaves it.
    Rule("host name", ("/etc/hostname", "/etc/machine-info"), holds=re.compile(rb"\S")),
    Rule("shell history", tuple(f"{HOME}/{name}" for name in (
        ".*history", ".lesshst", ".viminfo", ".wget-hsts",
    ))),
    Rule("trace of the build", tuple(f"{HOME}/{name}" for name in (
        ".ansible", ".cache", ".ssh/known_hosts*", ".Xauthority",
    ))),
    Rule("trace of the build", ("/var/lib/sudo/lectured/*", "/var/lib/sudo/ts/*")),
    Rule("credentials", tuple(f"{HOME}/{name}" for name in (
        ".aws", ".azure", ".config/gcloud", ".config/gh", ".docker/config.json", ".git-credentials", ".kube", ".my.cnf",
        ".netrc", ".npmrc", ".pgpass", ".pypirc", ".ssh/environment", ".ssh/id_*", ".vault-token",
    ))),
    Rule("credentials", ("/etc/krb5.keytab",)),
    Rule("copy of accounts", tuple(f"/etc/{name}-" for name in (
        "passwd", "shadow", "group", "gshadow", "subuid", "subgid",
    ))),
    Rule("backup", ("/var/backups/*",)),  # dpkg's state, and on older systems /etc/shadow
    Rule("lease", (
        "/var/lib/dhcp/*", "/var/lib/dhclient/*", "/var/lib/dhcpcd/*", "/var/lib/misc/*.leases",
        "/var/lib/NetworkManager/*", "/var/lib/systemd/network/*",
    )),
    # Each clone would send it, or do it.
    Rule("mail", (
        "/var/mail/*", "/var/spool/exim4/input/*", "/var/spool/exim4/msglog/*",
        *(f"/var/spool/postfix/{queue}/**/*" for queue in (
            "active", "bounce", "corrupt", "defer", "deferred", "hold", "incoming", "maildrop",
        )),
    )),
    Rule("scheduled job", ("/var/spool/cron/atjobs/*", "/var/spool/cron/atspool/*"), keep=(".SEQ",)),
    # When something was last done on the builder: the copies would do it all at once after the boot, or not in time.
    Rule("stale state", (
        "/var/lib/systemd/timers/stamp-*", "/var/spool/anacron/*", "/var/lib/apt/periodic/*",
        "/var/lib/logrotate/status", "/var/lib/logrotate.status",
        "/var/lib/chrony/chrony.drift", "/var/lib/chrony/*.dat", "/var/lib/ntpsec/ntp.drift",  # of another clock
        "/var/lib/mlocate/*.db", "/var/lib/plocate/*.db",
    )),
    Rule("session", ("/var/lib/php*/sessions/*",)),
    Rule("cached request", ("/var/lib/nginx/*/*", "/var/cache/nginx/*/*")),  # nginx makes the folders above
    Rule("memory of the builder", ("/swapfile", "/swap.img", "/var/swapfile"), REFUSE),  # /etc/fstab may name it
    Rule("package list", ("/var/lib/apt/lists/*", "/var/lib/apt/lists/partial/*"), keep=("lock", "partial", "auxfiles")),
    Rule("package cache", ("/var/cache/apt/*.bin", "/var/cache/apt/archives/*.deb", "/var/cache/apt/archives/partial/*")),
    # Folders of services that still run; systemd removes them when it stops, and again at boot.
    Rule("temporary file", ("/tmp/*", "/var/tmp/*"), keep=("systemd-private-*",)),
    Rule("crash report", ("/var/crash/*", "/var/lib/systemd/coredump/*", "/var/lib/systemd/pstore/*")),
    Rule("journal", ("/var/log/journal/*",)),
    Rule("rotated log", tuple(f"/var/log/**/*{ending}" for ending in (".gz", ".xz", ".old", ".[0-9]", "-20[0-9]*"))),
    Rule("log", ("/var/log/**/*",), EMPTY),
    Rule("right of the login user", ("/etc/sudoers.d/90-cloud-init-users",), login=True),
    Rule("key that lets someone in", (f"{HOME}/.ssh/authorized_keys*",), login=True),
)

_WHERE_PEOPLE_WRITE = ("/etc", "/opt", "/root", "/home", "/srv", "/usr/local", "/var/www", HOME)
CONTENTS = (
    # With the first line of the key itself: programs and manuals name the header alone. \n as two characters: in JSON.
    Content("private key in a file", _WHERE_PEOPLE_WRITE, re.compile(
        rb"-----BEGIN (?:[A-Z0-9]{2,10} ){0,2}PRIVATE KEY(?: BLOCK)?-----(?:\\r|\\n|\s){1,4}"
        rb"(?:[A-Za-z-]{3,20}: [^\n]{0,200}\s+){0,4}[A-Za-z0-9+/=]{16}"
    ), (b"PRIVATE KEY",)),
    # AWS's manuals end theirs in EXAMPLE; tools bring these manuals along.
    Content("AWS access key in a file", _WHERE_PEOPLE_WRITE, re.compile(
        rb"(?<![A-Z0-9])(?:AKIA|ASIA)(?![A-Z0-9]{9}EXAMPLE)[A-Z0-9]{16}(?![A-Z0-9])"
    ), (b"AKIA", b"ASIA")),
    Content("password in a file", ("/etc/goldfleet",), re.compile(
        rb'(?i)"(?:password|passwd|passphrase|secret|secret_key|token|api_key)"\s*:\s*"[^"]'
    ), (b'"',)),
    Content("password of an account", ("/etc/shadow",), re.compile(rb"(?m)^[^:\n]+:(?![!*])[^\n]*:"), (b":",)),
    Content("password in a file", ("/var/cache/debconf/passwords.dat",), re.compile(rb"(?m)^Value: *\S"), (b"Value:",)),
)
