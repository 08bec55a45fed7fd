# mypy: ignore-errors
# Answers questions about the server that it runs on. It comes through standard input, and so do the questions; nothing is
# installed and nothing is written to the server. Python 3.6 and newer, the standard library only, and of that only what is
# loaded in a few milliseconds: no re, no json, no subprocess.
#
# A question is a command, as somebody would give it to /bin/sh. Common ones are answered without starting a program, byte for
# byte as that program would; wherever that is not certain - an error, another option, a shell's own signs - /bin/sh is asked.
#
# In:  `Q SECONDS COUNT`, then for each question a line with its length in bytes, and its bytes. Any number of times.
# Out: `A NUMBER CODE STDOUT STDERR MICROSECONDS HOW`, the lengths of both texts, then their bytes; `.` once all are answered.
#      CODE is the exit code, 128 and more for a signal, or `late` for a command that was killed after SECONDS. HOW is `n` for
#      one that was answered here, `s` for one that /bin/sh answered.
import grp
import os
import pwd
import select
import signal
import stat
import sys
import time

LONGEST_ANSWER = 64 * 1024 * 1024  # of either text; what is longer is cut and its command killed
QUIET_SECONDS = 0.2  # answers that wait for a slow command are sent meanwhile
ENOUGH = 64 * 1024
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./-_")
LITERAL = PLAIN - frozenset(".") | frozenset(
    " ;&<>(){}|'\"!#~"
)  # of a basic regular expression: what stands for itself
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
    option, path = two(words)
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
    option, what, path = three(words)
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
    path = one([word for word in words if word != "--"])
    if path.startswith(("-", "/proc/")) or not stat.S_ISREG(os.stat(path).st_mode):
        raise Unsure
    with open(path, "rb", buffering=0) as file:
        return 0, file.read(LONGEST_ANSWER), b""


def answer_uname(words):
    shown = {"-s": 0, "-n": 1, "-r": 2, "-v": 3, "-m": 4}
    option = one(words)
    if option not in shown:
        raise Unsure
    return said(os.uname()[shown[option]])


def answer_command(words):
    # What a shell has of its own it finds before any file; no builtin's name is also a program's that people ask for.
    option, name = two(words)
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
    table, name = two(words)
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
            user.pw_uid, name, user.pw_gid, named[0], ",".join("{}({})".format(*pair) for pair in zip(groups, named))  # noqa: B905 - Python 3.6 has no strict=
        ),
    }  # fmt: skip
    if "".join(options) not in shown:
        raise Unsure
    return said(shown["".join(options)])


def answer_realpath(words):
    path = one(words)
    if path.startswith("-") or not os.path.exists(path):
        raise Unsure
    return said(os.path.realpath(path))


def answer_readlink(words):
    option, path = two(words)
    if option != "-f":
        raise Unsure
    return answer_realpath([path])


def answer_grep(words):
    if len(words) != 4 or words[0] not in ("-qs", "-sq") or words[1] != "--":
        raise Unsure
    pattern, path = words[2:]
    if not pattern or not LITERAL.issuperset(pattern) or not stat.S_ISREG(os.stat(path).st_mode):
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


def one(words):
    if len(words) != 1:
        raise Unsure
    return words[0]


def two(words):
    if len(words) != 2:
        raise Unsure
    return words


def three(words):
    if len(words) != 3:
        raise Unsure
    return words


ANSWERS = {
    "test": answer_test, "stat": answer_stat, "cat": answer_cat, "uname": answer_uname, "command": answer_command,
    "getent": answer_getent, "id": answer_id, "realpath": answer_realpath, "readlink": answer_readlink, "grep": answer_grep,
    "dpkg-query": answer_dpkg_query,
}  # fmt: skip


def answer_here(command):
    """Return (code, stdout, stderr) without starting a program. Raises Unsure, or anything that a look at a file raises."""
    words = split(command)
    if not words or words[0] not in ANSWERS:
        raise Unsure
    return ANSWERS[words[0]](words[1:])


def start(command):
    """Start /bin/sh for a command, in a group of its own; return its process id and where its two texts come from."""
    out, out_end = os.pipe()
    err, err_end = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            os.setsid()
            for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores these; programs expect not to
                signal.signal(number, signal.SIG_DFL)
            os.dup2(NOTHING, 0)
            os.dup2(out_end, 1)
            os.dup2(err_end, 2)
            os.execv("/bin/sh", ["/bin/sh", "-c", command])  # noqa: S606
        finally:
            os._exit(127)
    os.close(out_end)
    os.close(err_end)
    return process, out, err


def ask_shell(command, seconds, meanwhile):
    """Return (code, stdout, stderr) as /bin/sh gives them; `meanwhile` is called while it takes its time."""
    process, out, err = start(command)
    texts, sizes, killed = {out: [], err: []}, {out: 0, err: 0}, False
    waiting = select.poll()
    for end in texts:
        waiting.register(end, select.POLLIN | select.POLLHUP)
    left, deadline = 2, time.monotonic() + seconds
    while left:
        ready = waiting.poll(1000 * max(0.0, min(QUIET_SECONDS, deadline - time.monotonic())))
        for end, _ in ready:
            chunk = os.read(end, 65536)
            texts[end].append(chunk)
            sizes[end] += len(chunk)
            if not chunk:
                waiting.unregister(end)
                left -= 1
        if not killed and (time.monotonic() >= deadline or max(sizes.values()) > LONGEST_ANSWER):
            # Its own group; what has left that group may still hold the ends, and is not waited for.
            os.killpg(process, signal.SIGKILL)
            killed = True
            break
        if not ready:
            meanwhile()
    for end in texts:
        os.close(end)
    status = os.waitpid(process, 0)[1]
    code = "late" if killed else 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    return code, b"".join(texts[out])[:LONGEST_ANSWER], b"".join(texts[err])[:LONGEST_ANSWER]


class Answers:
    """Collects answers and sends them together."""

    def __init__(self):
        self.parts = []
        self.size = 0

    def add(self, *parts):
        self.parts.extend(parts)
        self.size += sum(map(len, parts))
        if self.size > ENOUGH:
            self.send()

    def send(self):
        text = memoryview(b"".join(self.parts))
        self.parts, self.size = [], 0
        while text:
            text = text[os.write(1, text) :]


def answer_all(questions, seconds, answers):
    for number, question in enumerate(questions):
        command, began, how = question.decode("utf-8", "surrogateescape"), time.monotonic(), "n"
        try:
            code, out, err = answer_here(command)
        except (Unsure, OSError, ValueError, KeyError):
            how = "s"
            code, out, err = ask_shell(command, seconds, answers.send)
        took = int(1000000 * (time.monotonic() - began))
        answers.add(f"A {number} {code} {len(out)} {len(err)} {took} {how}\n".encode(), out, err)
    answers.add(b".\n")
    answers.send()


def main(given):
    answers = Answers()
    while True:
        line = given.readline().split()
        if not line:
            return
        questions = [given.read(int(given.readline())) for _ in range(int(line[2]))]
        answer_all(questions, float(line[1]), answers)


os.write(1, b"\0goldfleet-agent 1\n")
NOTHING = os.open("/dev/null", os.O_RDONLY)
main(sys.stdin.buffer)
