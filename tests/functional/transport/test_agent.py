"""The agents answer as /bin/sh does, byte for byte: the one in Python without a program where it may, the other never so."""

import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from goldfleet.transport.model import Answer
from goldfleet.transport.protocol import AnswerReader, agent_source, encode_questions, session_command

NATIVE = [
    "uname -s", "uname -m", "uname -r", "uname -n", "cat /etc/os-release", "cat -- /etc/passwd", "test -e /etc",
    "test -e /nowhere",
    "test -f /etc/passwd", "test -f /etc", "test -d /etc", "test -d /etc/passwd", "test -L /bin", "test -L /etc",
    "test -p /etc",
    "test -S /etc/passwd", "test -d /run/systemd/system/", "command -v ls", "command -v /bin/ls",
    "getent passwd root", "getent passwd nosuchuser", "getent group root", "getent group nosuchgroup",
    "id root", "id -u root", "id -g daemon", "id -ng daemon", "id -G root", "id -nG root", "realpath /bin/sh",
    "readlink -f /bin/sh",
    "grep -qs -- root /etc/passwd", "grep -qs -- 'no such words' /etc/passwd", "grep -qs -- daemon:x:1 /etc/passwd",
    "dpkg-query -f '${Status}' -W bash", "dpkg-query -f '${Version}' -W bash",
    *(f"stat -Lc {what} {path}" for what in ("%U", "%G", "%u", "%g", "%a", "%s", "%i",
    "%Y") for path in ("/etc/passwd", "/bin", "/usr")),
]  # fmt: skip
"""Questions that the agent in Python must answer without a program."""

ASKED = [
    "false", "true", "exit 7", "kill -9 $$", "echo a; echo b >&2; exit 3", "printf '\\377\\000\\n'", "cat",
    "head -c 300000 /dev/zero",
    "cat /nowhere", "stat -Lc %U /nowhere", "stat -Lc %N /etc/passwd", "stat -c %U /etc/passwd", "test -e",
    "test a = b", "command -v nosuchprogram",
    "command -v cd", "getent passwd 0", "getent shadow root", "getent hosts localhost", "id nosuchuser", "id",
    "realpath /nowhere/x",
    "grep -qs -- ro.t /etc/passwd", "grep -qs -- root /nowhere", "grep -qs -- '^root' /etc/passwd",
    "dpkg-query -f '${Status}' -W nosuchpackage",
    "dpkg-query -f '${Status}' -W 'bas*'", "cat /etc/passwd | head -n 1", "cat '/etc/it'\"'\"'s'", "echo $HOME",
    "ls -1 -q -- /etc/apt",
    "sha256sum /etc/passwd | cut -d ' ' -f 1", "not a command at all", "'unbalanced", "cat /etc/\\passwd",
    "uname -a", "uname", "ulimit -n",
    "echo 'gr\u00fc\u00df dich'", "cat /proc/self/comm", "test -x /bin/ls", "test -x /etc/passwd",
    "cat -- /dev/null", "cat /etc",
]  # fmt: skip
"""Questions that only the command itself knows, or nobody."""


def ask(questions: Sequence[str], path: str = "", seconds: float = 20) -> list[Answer]:
    """Return what an agent answers here, started as a session starts it; `path` is its PATH, unless it is this process's."""
    env = {**os.environ, **({"PATH": path} if path else {})}
    given = agent_source() + encode_questions(questions, seconds)
    done = subprocess.run(["/bin/sh", "-c", session_command()], input=given, env=env, capture_output=True, check=False)
    reader = AnswerReader()
    found = dict(reader.feed(done.stdout))
    assert reader.is_over, done.stderr
    return [found[number] for number in range(len(questions))]


def by_shell(question: str, path: str = "") -> tuple[int, bytes, bytes]:
    """Return what /bin/sh itself says."""
    env = {**os.environ, **({"PATH": path} if path else {})}
    done = subprocess.run(
        ["/bin/sh", "-c", question], stdin=subprocess.DEVNULL, env=env, capture_output=True, check=False
    )
    return (128 - done.returncode if done.returncode < 0 else done.returncode), done.stdout, done.stderr


def said(answer: Answer) -> tuple[int, bytes, bytes]:
    return answer.code, answer.stdout, answer.stderr


@pytest.fixture(scope="module")
def answers() -> dict[str, Answer]:
    questions = NATIVE + ASKED
    return dict(zip(questions, ask(questions), strict=True))


@pytest.fixture(scope="module")
def without_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH with all that is on this one but Python."""
    folder = tmp_path_factory.mktemp("bin")
    for place in ("/usr/sbin", "/usr/bin", "/sbin", "/bin"):
        for program in Path(place).iterdir():
            if not program.name.startswith("python") and not (folder / program.name).exists():
                (folder / program.name).symlink_to(program)
    return str(folder)


@pytest.mark.parametrize("question", NATIVE + ASKED)
def test_answer_is_the_commands_own(question: str, answers: dict[str, Answer]) -> None:
    assert said(answers[question]) == by_shell(question)


@pytest.mark.parametrize("question", NATIVE)
def test_common_question_starts_no_program(question: str, answers: dict[str, Answer]) -> None:
    assert answers[question].is_native


def test_server_without_python_answers_too(without_python: str) -> None:
    questions = [
        "uname -s",
        "exit 7",
        "echo a; echo b >&2; exit 3",
        "cat",
        "printf '\\377\\000'",
        "echo 'gr\u00fc\u00df dich'",
    ]
    found = ask(questions, without_python)
    assert [said(one) for one in found] == [by_shell(one, without_python) for one in questions]
    assert not any(one.is_native for one in found)


@pytest.mark.parametrize("has_python", [True, False])
def test_command_that_does_not_end_is_killed_and_the_next_is_answered(has_python: bool, without_python: str) -> None:
    late, after = ask(["echo begun; sleep 60", "echo next"], "" if has_python else without_python, seconds=1)
    assert (late.killed, late.stdout, after.stdout) == ("late", b"begun\n", b"next\n")


def test_command_that_leaves_something_running_is_not_waited_for_longer_than_it_may_take() -> None:
    (answer,) = ask(["setsid sleep 30 & echo started"], seconds=1)
    assert answer.killed == "late"


def test_command_that_says_nothing_and_runs_on_is_not_waited_for_longer_than_it_may_take() -> None:
    late, after = ask(["exec >&- 2>&-; sleep 60", "echo next"], seconds=1)
    assert (late.killed, after.stdout) == ("late", b"next\n")


@pytest.mark.parametrize("has_python", [True, False])
def test_command_that_never_stops_talking_is_killed_and_the_next_is_answered(
    has_python: bool, without_python: str
) -> None:
    endless, after = ask(["cat /dev/zero", "echo next"], "" if has_python else without_python, seconds=60)
    assert (endless.killed, len(endless.stdout), after.stdout) == ("long", 64 * 1024 * 1024, b"next\n")


def test_file_that_leads_into_proc_is_the_commands_own(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/proc/self/comm")
    assert [one.stdout for one in ask([f"cat {tmp_path}/link"])] == [b"cat\n"]


def test_ten_megabytes_come_through() -> None:
    (answer,) = ask(["head -c 10000000 /dev/zero | tr '\\0' x"])
    assert (len(answer.stdout), set(answer.stdout)) == (10_000_000, {ord("x")})


def test_words_are_quoted_as_python_quotes_them(tmp_path: Path) -> None:
    names = ["a b", "it's", 'say "hi"', "$HOME", "a;b", "\u00fc", "*", "back\\slash", "-n"]
    for name in names:
        (tmp_path / name).write_text(f"in {name}")
    questions = [f"cat -- {shlex.quote(str(tmp_path / name))}" for name in names]
    assert [one.stdout.decode() for one in ask(questions)] == [f"in {name}" for name in names]
