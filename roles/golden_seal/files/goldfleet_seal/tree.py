"""The file system to seal. Looks with lstat only, and never through a link or into a share that is mounted there."""

import fnmatch
import os
import re
import shutil
import stat

from goldfleet_seal.rules import EMPTY, HOME, REFUSE, REMOVE, REMOVE_IF_EMPTY

SHARES = re.compile(r"(?:9p|afs|autofs|ceph|cifs|glusterfs|lustre|nfs4?|smb3|fuse\..*)\Z")
WILD = set("*?[")


def find_shares(mountinfo):
    """Return the mount points of file systems that are no part of the machine. Source: proc_pid_mountinfo(5)."""
    found = set()
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        if after and SHARES.match(after.split(" ")[0]):
            found.add(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), before.split(" ")[4]))
    return frozenset(found)


class Tree:
    """The file system below a root folder."""

    def __init__(self, root, shares=frozenset()):
        """Take the folder that stands for /, and the mount points that count as nothing."""
        self.root = os.path.realpath(root)
        self.shares = shares

    def real(self, path):
        """Return where a path of the image is on this machine."""
        return os.path.join(self.root, path.lstrip("/"))

    def mode(self, path):
        """Return the file type bits of a path itself, 0 when there is nothing or a share."""
        if path in self.shares:
            return 0
        try:
            return stat.S_IFMT(os.lstat(self.real(path)).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return 0

    def names(self, folder):
        """Return the sorted names in a folder; a link to a folder has none."""
        return sorted(os.listdir(self.real(folder))) if self.mode(folder) == stat.S_IFDIR else []

    def below(self, folder):
        """Yield every folder below a folder, and itself, without following links."""
        yield folder
        for name in self.names(folder):
            path = f"{folder}/{name}"
            if self.mode(path) == stat.S_IFDIR:
                yield from self.below(path)

    def read(self, path, most=1 << 20):
        """Return the first bytes of a regular file, none of anything else."""
        if self.mode(path) != stat.S_IFREG:
            return b""
        with open(os.open(self.real(path), os.O_RDONLY | os.O_NOFOLLOW), "rb") as content:
            return content.read(most)

    def lines(self, path):
        """Return the lines of a text file, none when it is not there."""
        return self.read(path, 1 << 26).decode("utf-8", "surrogateescape").splitlines()

    def obstacle(self, path):
        """Return the first thing above a path that is no plain folder: a link, a share, a file; empty when there is none."""
        parts = path.strip("/").split("/")[:-1]
        above = ("/" + "/".join(parts[: n + 1]) for n in range(len(parts)))
        return next((folder for folder in above if self.mode(folder) != stat.S_IFDIR), "")

    def people(self):
        """Return the home folders of people and applications."""
        accounts = self._accounts()
        return sorted({"/root", *(f"/home/{name}" for name in self.names("/home")), *(accounts[True])})

    def homes(self):
        """Return every home folder. A program's home, such as /bin, counts only where no link leads to it."""
        of_programs = (home for home in self._accounts()[False] if not self.obstacle(home + "/x"))
        return sorted({*self.people(), *of_programs})

    def _accounts(self):
        """Return the home folders of /etc/passwd by whether they are a person's or an application's."""
        found = {True: set(), False: set()}
        for fields in (line.split(":") for line in self.lines("/etc/passwd") if line.count(":") == 6):
            found[int(fields[2]) >= 1000].add(os.path.normpath(fields[5]))
        return found

    def expand(self, pattern):
        """Yield the paths that match a pattern, and links that stand in its way, as (path, is_in_the_way)."""
        if pattern.startswith(HOME):
            for home in self.homes():
                yield from self._match("", (home + pattern[len(HOME):]).strip("/").split("/"))
        else:
            yield from self._match("", pattern.strip("/").split("/"))

    def _match(self, folder, parts):
        """Yield what matches the remaining parts of a pattern below a folder."""
        first, rest = parts[0], parts[1:]
        if first == "**":
            for inner in self.below(folder):
                yield from self._match(inner, rest)
            return
        names = fnmatch.filter(self.names(folder), first) if set(first) & WILD else [first]
        for path in (f"{folder}/{name}" for name in names):
            kind = self.mode(path)
            if not rest and kind:
                yield path, False
            elif rest and kind == stat.S_IFLNK:
                yield path, True
            elif rest and kind == stat.S_IFDIR:
                yield from self._match(path, rest)

    def undo(self, leftover):
        """Remove or empty one leftover. Raises OSError where that cannot be done."""
        if leftover.action == REFUSE:
            return
        self._enter(os.path.dirname(leftover.path))
        name = os.path.basename(leftover.path)
        if leftover.action == EMPTY:
            with open(os.open(name, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW), "w", encoding="utf-8") as file:
                file.write(leftover.text)
        elif leftover.action == REMOVE_IF_EMPTY:
            os.rmdir(name)
        elif leftover.action == REMOVE and stat.S_ISDIR(os.lstat(name).st_mode):
            shutil.rmtree(name)
        else:
            os.unlink(name)

    def _enter(self, folder):
        """Make a folder the working one, step by step: one that was swapped for a link since the look is not entered."""
        os.chdir(self.root)
        for part in folder.strip("/").split("/") if folder.strip("/") else []:
            descriptor = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                os.fchdir(descriptor)
            finally:
                os.close(descriptor)
