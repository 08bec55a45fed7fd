"""Secrets inside files. They are reported and never removed: nobody can say who needs the file.

A file that a package brought along and nobody changed since is no secret, and neither is one that the allowed list names.
"""

import fnmatch
import hashlib
import stat

from goldfleet_seal.rules import CONTENTS, HOME, REFUSE, Leftover

ALLOWED = "/usr/local/lib/goldfleet/goldfleet_seal/allowed.txt"


def find_secrets(tree, contents=CONTENTS):
    """Return the files that hold what no file of an image may hold."""
    allowed = [line for line in tree.lines(ALLOWED) if line.startswith("/")]
    found = {}
    for folders in dict.fromkeys(content.folders for content in contents):
        sought = [content for content in contents if content.folders == folders]
        for path in _files(tree, folders):
            kind = _kind(tree.read(path), sought) if path not in found else None
            if kind and not _is_allowed(path, allowed) and not is_as_shipped(tree, path):
                found[path] = Leftover(kind, path, REFUSE)
    return list(found.values())


def _kind(text, sought):
    """Return the kind of the first secret in a text, None when there is none."""
    hinted = (one for one in sought if any(hint in text for hint in one.hint))
    return next((one.kind for one in hinted if one.pattern.search(text)), None)


def _is_allowed(path, allowed):
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in allowed)


def _files(tree, folders):
    """Yield every regular file of the folders once; a folder may be a file itself."""
    waiting = [start for folder in folders for start in (tree.people() if folder == HOME else [folder])]
    waiting = [start for start in waiting if start != "/" and not tree.obstacle(start)]
    seen = set()
    while waiting:
        path = waiting.pop()
        kind = tree.mode(path) if path not in seen else 0
        seen.add(path)
        if kind == stat.S_IFREG:
            yield path
        elif kind == stat.S_IFDIR:
            waiting.extend(f"{path}/{name}" for name in tree.names(path))


def is_as_shipped(tree, path):
    """Say whether a file is as its package brought it along, by dpkg's own sums."""
    digest = hashlib.md5(tree.read(path, 1 << 30), usedforsecurity=False).hexdigest()
    sums = (name for name in tree.names("/var/lib/dpkg/info") if name.endswith(".md5sums"))
    if any(f"{digest}  {path[1:]}" in tree.lines(f"/var/lib/dpkg/info/{name}") for name in sums):
        return True
    return f" {path} {digest}" in tree.lines("/var/lib/dpkg/status")  # configuration files are in there
