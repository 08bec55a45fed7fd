# mypy: ignore-errors
# ruff: noqa: F821 - lookups.py stands before it: the two are sent as one program, with session.py or packed.py behind them
# Answers questions about the server that it runs on. It comes through standard input, and so do the questions; nothing is
# installed and nothing is written to the server. Python 3.6 and newer, the standard library only, and of that only what is
# loaded in a few milliseconds: no re, no json, no subprocess.
#
# A question is a command, as somebody would give it to /bin/sh, and who answers is lookups.py or /bin/sh.
#
# Questions:  `Q SECONDS COUNT`, then for each question a line with its length in bytes, and its bytes.
# Answers:    `A NUMBER CODE STDOUT STDERR MICROSECONDS HOW`, the lengths of both texts, then their bytes; `.` once all are
#             answered. CODE is the exit code, 128 and more for a signal; `late` or `long` for a command that was killed, since
#             it took more than SECONDS or said more than LONGEST_ANSWER. HOW is `n` for one that was answered here, `s` for one
#             that /bin/sh answered.
import os
import select
import signal
import time

LONGEST_ANSWER = 64 * 1024 * 1024  # of either text
QUIET_SECONDS = 0.2  # answers that wait for a slow command are sent meanwhile
ENOUGH = 64 * 1024
KILLED = ("late", "long")
NOTHING = os.open("/dev/null", os.O_RDONLY)


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
    deadline = time.monotonic() + seconds
    process, out, err = start(command)
    texts = {out: [], err: []}
    code = read_all(texts, deadline, meanwhile) or ended(process, deadline)
    if code in KILLED:
        # Its own group; what has left that group may still hold the ends, and is not waited for.
        os.killpg(process, signal.SIGKILL)
        os.waitpid(process, 0)
    for end in texts:
        os.close(end)
    return code, b"".join(texts[out])[:LONGEST_ANSWER], b"".join(texts[err])[:LONGEST_ANSWER]


def read_all(texts, deadline, meanwhile):
    """Read both ends until nobody holds them any more; return why not, "" when they are over."""
    waiting, sizes = select.poll(), dict.fromkeys(texts, 0)
    for end in texts:
        waiting.register(end, select.POLLIN | select.POLLHUP)
    left = set(texts)
    while left:
        ready = waiting.poll(1000 * max(0.0, min(QUIET_SECONDS, deadline - time.monotonic())))
        for end, _ in ready:
            chunk = os.read(end, ENOUGH)
            texts[end].append(chunk)
            sizes[end] += len(chunk)
            if not chunk:
                waiting.unregister(end)
                left.remove(end)
        if left and time.monotonic() >= deadline:
            return "late"
        if max(sizes.values()) > LONGEST_ANSWER:
            return "long"
        if not ready:
            meanwhile()
    return ""


def ended(process, deadline):
    """Return the exit code of a process, which says nothing any more and may run on all the same: "late" then."""
    while time.monotonic() < deadline:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        time.sleep(0.0005)
    return "late"


def read_questions(given):
    """Return how many seconds each question may take, and the questions; None when nobody asks any more."""
    line = given.readline().split()
    if not line:
        return None
    return float(line[1]), [given.read(int(given.readline())) for _ in range(int(line[2]))]


def answer(number, question, seconds, meanwhile):
    """Return a question's answer: the line about it, and both texts."""
    command, began, how = question.decode("utf-8", "surrogateescape"), time.monotonic(), "n"
    try:
        code, out, err = answer_here(command)
    except (Unsure, OSError, ValueError, KeyError):
        how = "s"
        code, out, err = ask_shell(command, seconds, meanwhile)
    took = int(1000000 * (time.monotonic() - began))
    return f"A {number} {code} {len(out)} {len(err)} {took} {how}\n".encode(), out, err
