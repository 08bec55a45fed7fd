"""Files that the CodeDeploy agent deployed, by its own lists, and where its state is.

The agent removes the files of its list itself before the next deployment. In an image its state must go, and then nobody would
know these files any more: the first deployment on each launched server would fail, since they exist. So they go first.

A list is text that may be damaged, and it names whatever an application called its own. Nothing goes that lies behind a link or
on a share, that a package brought along, or that lies outside the folders of applications, unless the agent's second record of
the same deployment (`-install.json`) names it too. Such a path is reported, and then the agent's state stays, so that the next
look reports it again. Source: research on aws-codedeploy-agent 1.8.1 and 2.0.0 (RemoveCommand, InstallInstruction).
"""

import json
import os
import re
import stat

from goldfleet_seal.rules import REFUSE, REMOVE, REMOVE_IF_EMPTY, Leftover

CONFIGURATION = "/etc/codedeploy-agent/conf/codedeployagent.yml"
ROOT = "/opt/codedeploy-agent/deployment-root"
PIDS = "/opt/codedeploy-agent/state/.pid"
APPLICATIONS = ("/home/", "/opt/", "/srv/", "/usr/local/", "/var/www/")
LIST, RECORD = "-cleanup", "-install.json"
OWN_NAMES = ("deployment-instructions", "deployment-logs", "ongoing-deployment", "????????-????-????-????-????????????")
KIND = "deployed file"


def read_folders(tree):
    """Return (deployment root, process id folder, log folder) where the agent's configuration moves them, else None each."""
    found = {}
    for line in tree.lines(CONFIGURATION):
        setting = re.match(r""":?(root_dir|pid_dir|log_dir):\s*['"]?(/[^'"#*?\[\s]+)""", line)
        if setting and os.path.normpath(setting[2]).count("/") >= 2:
            found[setting[1]] = os.path.normpath(setting[2])
    return tuple(found.get(name) for name in ("root_dir", "pid_dir", "log_dir"))


def read_names(tree):
    """Return (program, folder of deployments that run now) as the agent's configuration calls them."""
    found = {"program_name": "codedeploy-agent", "ongoing_deployment_tracking": "ongoing-deployment"}
    for line in tree.lines(CONFIGURATION):
        setting = re.match(r""":?(program_name|ongoing_deployment_tracking):\s*['"]?([\w-][\w.-]*)""", line)
        if setting:
            found[setting[1]] = setting[2]
    return found["program_name"], found["ongoing_deployment_tracking"]


def identity_patterns(tree):
    """Return where the agent's configuration has its identity of a server on premises."""
    settings = (re.match(r""":?on_premises_config_file:\s*['"]?(/[^'"#*?\[\s]+)""", line) for line in tree.lines(CONFIGURATION))
    return [os.path.normpath(setting[1]) for setting in settings if setting]


def state_patterns(tree):
    """Return where the agent's state is. In a folder that was moved only what bears the agent's own names counts."""
    root, pids, logs = read_folders(tree)
    program, tracking = read_names(tree)
    patterns = [f"{ROOT}/*", f"{PIDS}/*"]
    if root and root != ROOT:
        patterns += [f"{root}/{name}" for name in dict.fromkeys((*OWN_NAMES, tracking))]
    if pids and pids != PIDS:
        patterns += [f"{pids}/{name}*.pid" for name in dict.fromkeys(("codedeploy-agent", program))]
    if logs:
        patterns += [f"{logs}/{name}*.log*" for name in dict.fromkeys(("codedeploy-agent", "codedeploy-local", program))]
    return patterns


def find_deployed(tree):
    """Return the deployed files that are still there, in the order in which they are to be removed."""
    found, packaged = {}, _Packaged(tree)
    for root in dict.fromkeys((ROOT, read_folders(tree)[0] or ROOT)):
        for path, in_the_way in tree.expand(f"{root}/deployment-instructions/*{LIST}"):
            if not in_the_way:
                _judge_list(tree, path, packaged, found)
    return list(found.values())


def is_deployed(leftover):
    """Say whether a leftover comes from a list of deployed files."""
    return KIND in leftover.kind


def _judge_list(tree, list_path, packaged, found):
    """Add what one list names: last line first, as the agent goes through it."""
    confirmed = _read_record(tree, list_path[: -len(LIST)] + RECORD)
    for line in reversed(_read_list(tree, list_path)):
        path = line.rstrip("/") or "/"
        leftover = _judge(tree, path, path in confirmed, packaged, found)
        if leftover is not None:
            found.setdefault(leftover.path, leftover)


def _read_list(tree, path):
    """Return the paths of a list. A last line without its end is not whole, and the agent drops it too."""
    text = tree.read(path, 1 << 26).decode("utf-8", "surrogateescape")
    lines = text[: text.rfind("\n") + 1].split("\n")
    return [line for line in lines if line.strip() and not line.startswith("semanage\0")]


def _judge(tree, path, is_confirmed, packaged, found):
    """Return the leftover that a path of a list stands for, None when there is nothing to do."""
    if not re.match(r"/[^/]", path) or "\0" in path or os.path.normpath(path) != path:
        return Leftover(f"{KIND}, no path", path, REFUSE)
    obstacle = tree.obstacle(path)
    if obstacle and (obstacle in tree.shares or tree.mode(obstacle) == stat.S_IFLNK):
        return Leftover(f"link or share in the way ({KIND})", obstacle, REFUSE)
    is_application = is_confirmed or path.startswith(APPLICATIONS)
    if tree.mode(path) == stat.S_IFDIR:
        is_going = all(_goes(found.get(f"{path}/{name}")) for name in tree.names(path))
        goes = is_going and is_application and not packaged.has(path)
        return Leftover(KIND, path, REMOVE_IF_EMPTY) if goes else None
    return _judge_file(path, is_application, packaged) if tree.mode(path) else None


def _judge_file(path, is_application, packaged):
    """Return the leftover that a file or link is which exists and can be reached."""
    if packaged.has(path):
        return Leftover(f"{KIND}, of a package", path, REFUSE)
    if not is_application:
        return Leftover(f"{KIND}, outside of applications and in one list only", path, REFUSE)
    return Leftover(KIND, path, REMOVE)


def _goes(leftover):
    return leftover is not None and leftover.action != REFUSE


def _read_record(tree, path):
    """Return every text in the agent's other record of the deployment, which is JSON."""
    try:
        waiting = [json.loads(tree.read(path, 1 << 26) or b"null")]
    except ValueError:
        return frozenset()
    texts = set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            texts.add(value)
        elif isinstance(value, (list, dict)):
            waiting.extend(value.values() if isinstance(value, dict) else value)
    return frozenset(text.rstrip("/") for text in texts)


class _Packaged:
    """Which paths packages brought along; dpkg's lists are read when the first path is asked for."""

    def __init__(self, tree):
        self._tree = tree
        self._paths = None

    def has(self, path):
        """Say whether a package brought a path along."""
        if self._paths is None:
            lists = (name for name in self._tree.names("/var/lib/dpkg/info") if name.endswith(".list"))
            self._paths = {line for name in lists for line in self._tree.lines(f"/var/lib/dpkg/info/{name}")}
        return path in self._paths or path.removeprefix("/usr") in self._paths
