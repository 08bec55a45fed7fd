# mypy: ignore-errors
# What a server is asked most, answered without starting a program, byte for byte as that program would. Wherever that is not
# certain - an error, another option, a shell's own signs - it raises, and /bin/sh is asked. Sent to servers before agent.py, as
# one program: Python 3.6 and newer, and nothing that takes long to load.
import grp
import os
import pwd
import stat

PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./-_")
LITERAL = PLAIN - frozenset(".") | frozenset(" ;&<>(){}|'\"!#~")
"""What stands for itself in a basic regular expression."""

LONGEST_FILE = 16 * 1024 * 1024
STATUS = "/var/lib/dpkg/status"


class Unsure(Exception):  # noqa: N818 - no error, /bin/sh is asked instead
    """Only the command itself knows the answer."""


def split(command):
    """Return the words of a command that has none of a shell's signs, quoted as Python's shlex.quote does."""
    words, word, at = [], None, 0
    while at < len(command):
        sign = command[at]
        if sign == " ":
            if word is not None:
                words.append(word)
            word = None
        elif sign in "'\"":
            end = command.find(sign, at + 1)
            inside = command[at + 1 : end]
            if end < 0 or (sign == '"' and inside != "'"):
                raise Unsure
            word, at = (word or "") + inside, end
        elif sign in PLAIN:
            word = (word or "") + sign
        else:
            raise Unsure
        at += 1
    return words + ([word] if word is not None else [])


def answer_test(words):
    option, path = words
    if option == "-L":
        return yes_or_no(lambda: stat.S_ISLNK(os.lstat(path).st_mode))
    if option == "-x":
        if os.geteuid() == 0 or os.geteuid() != os.getuid():
            raise Unsure
        return yes_or_no(lambda: os.access(path, os.X_OK))
    kinds = {"-f": stat.S_ISREG, "-d": stat.S_ISDIR, "-p": stat.S_ISFIFO, "-S": stat.S_ISSOCK, "-e": lambda _: True}
    if option not in kinds:
        raise Unsure
    return yes_or_no(lambda: kinds[option](os.stat(path).st_mode))


def yes_or_no(look):
    try:
        return (0 if look() else 1), b"", b""
    except (OSError, ValueError):
        return 1, b"", b""


def answer_stat(words):
    option, what, path = words
    if option != "-Lc" or path.startswith("-"):
        raise Unsure
    seen = os.stat(path)
    shown = {
        "%U": lambda: user_name(seen.st_uid), "%G": lambda: group_name(seen.st_gid), "%u": lambda: seen.st_uid,
        "%g": lambda: seen.st_gid, "%a": lambda: oct(stat.S_IMODE(seen.st_mode))[2:], "%s": lambda: seen.st_size,
        "%i": lambda: seen.st_ino, "%Y": lambda: seen.st_mtime_ns // 1000000000,
    }  # fmt: skip
    if what not in shown:
        raise Unsure
    return said(shown[what]())


def user_name(number):
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return "UNKNOWN"


def group_name(number):
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return "UNKNOWN"


def answer_cat(words):
    (path,) = [word for word in words if word != "--"]
    seen = os.stat(path)
    # What /proc says of itself it says of who asks; whatever is long is /bin/sh's, which is stopped at some length.
    if path.startswith("-") or os.path.realpath(path).startswith("/proc/") or not is_short(seen):
        raise Unsure
    with open(path, "rb") as file:
        return 0, file.read(), b""


def is_short(seen):
    """Return whether a file is a regular one that may be read as a whole."""
    return stat.S_ISREG(seen.st_mode) and seen.st_size <= LONGEST_FILE


def answer_uname(words):
    shown = {"-s": 0, "-n": 1, "-r": 2, "-v": 3, "-m": 4}
    (option,) = words
    if option not in shown:
        raise Unsure
    return said(os.uname()[shown[option]])


def answer_command(words):
    # What a shell has of its own it finds before any file; no builtin's name is also a program's that people ask for.
    option, name = words
    if option != "-v" or name in BUILTINS or not name:
        raise Unsure
    places = [""] if "/" in name else os.environ.get("PATH", "").split(":")
    for folder in places:
        path = os.path.join(folder, name) if folder else name
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return said(path)
    raise Unsure


BUILTINS = frozenset([
    ".", ":", "[", "alias", "bg", "break", "case", "cd", "chdir", "command", "continue", "do", "done", "echo",
    "elif", "else", "esac", "eval", "exec", "exit", "export", "false", "fc", "fg", "fi", "for", "function",
    "getopts", "hash", "if", "in", "jobs", "kill", "let", "local", "newgrp", "printf", "pwd", "read", "readonly",
    "return", "set", "shift", "test", "then", "time", "times", "trap", "true", "type", "ulimit", "umask",
    "unalias", "unset", "until", "wait", "while", "{", "}", "!",
])  # fmt: skip


def answer_getent(words):
    table, name = words
    if name.startswith("-") or name.isdigit():
        raise Unsure
    if table == "passwd":
        found = found_or_none(pwd.getpwnam, name)
    elif table == "group":
        found = found_or_none(grp.getgrnam, name)
        found = found and (*found[:3], ",".join(found[3]))
    else:
        raise Unsure
    return said(":".join(map(str, found))) if found else (2, b"", b"")


def found_or_none(look, name):
    try:
        return look(name)
    except KeyError:
        return None


def answer_id(words):
    *options, name = words
    if name.startswith("-") or name.isdigit() or len(options) > 1:
        raise Unsure
    user = found_or_none(pwd.getpwnam, name)
    if not user:
        raise Unsure
    groups = os.getgrouplist(name, user.pw_gid)
    named = [grp.getgrgid(number).gr_name for number in groups]
    shown = {
        "-u": user.pw_uid, "-g": user.pw_gid, "-un": user.pw_name, "-nu": user.pw_name, "-gn": named[0], "-ng": named[0],
        "-G": " ".join(map(str, groups)), "-nG": " ".join(named), "-Gn": " ".join(named),
        "": "uid={}({}) gid={}({}) groups={}".format(
            user.pw_uid, name, user.pw_gid, named[0], ",".join("{}({})".format(*pair) for pair in zip(groups, named))  # noqa: B905
        ),
    }  # fmt: skip
    if "".join(options) not in shown:
        raise Unsure
    return said(shown["".join(options)])


def answer_realpath(words):
    (path,) = words
    if path.startswith("-") or not os.path.exists(path):
        raise Unsure
    return said(os.path.realpath(path))


def answer_readlink(words):
    option, path = words
    if option != "-f":
        raise Unsure
    return answer_realpath([path])


def answer_grep(words):
    if len(words) != 4 or words[0] not in ("-qs", "-sq") or words[1] != "--":
        raise Unsure
    pattern, path = words[2:]
    if not pattern or not LITERAL.issuperset(pattern) or not is_short(os.stat(path)):
        raise Unsure
    with open(path, "rb") as file:
        return (0 if pattern.encode() in file.read() else 1), b"", b""


def answer_dpkg_query(words):
    if len(words) != 4 or words[0] != "-f" or words[2] != "-W" or os.environ.get("DPKG_ADMINDIR"):
        raise Unsure
    name, field = words[3], {"${Status}": b"\nStatus: ", "${Version}": b"\nVersion: "}.get(words[1])
    if not field or not PLAIN.issuperset(name) or ":" in name or os.listdir("/var/lib/dpkg/updates"):
        raise Unsure
    start = b"\nPackage: " + name.encode() + b"\n"
    text = packages()
    at = text.find(start)
    if at < 0 or text.find(start, at + 1) >= 0:
        raise Unsure
    stanza = text[at : text.index(b"\n\n", at)]
    value = stanza.find(field)
    if value < 0:
        raise Unsure
    return 0, stanza[value + len(field) :].split(b"\n", 1)[0], b""


def packages(kept=[]):  # noqa: B006 - kept for the whole run, which is over in a moment
    seen = os.stat(STATUS)
    if not kept or kept[0] != (seen.st_mtime_ns, seen.st_ino):
        with open(STATUS, "rb") as file:
            kept[:] = [(seen.st_mtime_ns, seen.st_ino), b"\n" + file.read() + b"\n\n"]
    return kept[1]


def said(value):
    return 0, str(value).encode("utf-8", "surrogateescape") + b"\n", b""


ANSWERS = {
    "test": answer_test, "stat": answer_stat, "cat": answer_cat, "uname": answer_uname, "command": answer_command,
    "getent": answer_getent, "id": answer_id, "realpath": answer_realpath, "readlink": answer_readlink, "grep": answer_grep,
    "dpkg-query": answer_dpkg_query,
}  # fmt: skip


def answer_here(command):
    """Return (code, stdout, stderr) without starting a program.

    Raises Unsure, and as well what another number of words or a look at a file raises: /bin/sh is to be asked.
    """
    words = split(command)
    if not words or words[0] not in ANSWERS:
        raise Unsure
    return ANSWERS[words[0]](words[1:])
