"""Which commands change a server, as far as their text shows: those are not asked in advance, nor twice. Pure."""

import re

_ALWAYS = frozenset([
    "apt-get", "apt-key", "add-apt-repository", "chgrp", "chmod", "chown", "cp", "crontab", "dd",
    "debconf-set-selections", "fallocate", "groupadd", "groupdel", "groupmod", "install", "kill",
    "killall", "ln", "logger", "mkdir", "mkfifo", "mkfs", "mknod", "mktemp", "modprobe", "mount", "mv", "passwd",
    "pkill", "poweroff", "reboot", "rm", "rmdir", "rmmod", "shred", "shutdown", "swapoff", "swapon",
    "tee", "touch", "truncate", "umount", "useradd", "userdel", "usermod", "visudo",
])  # fmt: skip
"""Programs whose purpose is a change."""

_BY_WORD = {
    "systemctl": frozenset([
        "start", "stop", "restart", "reload", "try-restart", "reload-or-restart", "try-reload-or-restart",
        "isolate", "kill", "enable", "disable", "mask", "unmask", "preset", "reset-failed", "set-property",
        "daemon-reload", "daemon-reexec", "edit", "revert", "link", "halt", "poweroff", "reboot", "kexec",
    ]),
    "service": frozenset(["start", "stop", "restart", "reload", "force-reload"]),
    "ip": frozenset(["add", "del", "delete", "set", "flush", "replace"]),
    "sysctl": frozenset(["-w", "--write", "-p", "--load", "--system"]),
    "hostnamectl": frozenset(["set-hostname", "hostname"]),
    "timedatectl": frozenset(["set-time", "set-timezone", "set-ntp"]),
    "sed": frozenset(["-i", "--in-place"]),
    "curl": frozenset(
        ["POST", "PUT", "PATCH", "DELETE", "-d", "--data", "-F", "--form", "-T", "--upload-file", "-o", "-O"]
    ),
    "dpkg": frozenset(["-i", "--install", "-r", "--remove", "-P", "--purge", "--configure", "--unpack"]),
    "find": frozenset(["-delete"]),
    "journalctl": frozenset(["--rotate", "--flush", "--vacuum-time", "--vacuum-size", "--sync"]),
}  # fmt: skip
"""Programs that change something with one of these words only, and show something otherwise."""

_LOOKS = frozenset(["--check", "--help", "--list", "--status", "--version", "-0", "-l", "-S", "list"])
"""Words with which a program that changes something otherwise only shows or tests something."""

_RUNNERS = frozenset([
    "sudo", "env", "nohup", "nice", "timeout", "command", "exec", "time", "setsid", "xargs", "if", "then", "else",
    "do", "while", "until", "!", "{", "(",
])  # fmt: skip
"""Words before a command's own first word; options of theirs are passed over."""

_NO_FILES = frozenset(["/dev/null", "/dev/stdout", "/dev/stderr", "&1", "&2", "&-"])
_SEPARATORS = re.compile(r"&&|\|\||[;|\n&(){}`]|\$\(")
_QUOTED = re.compile(r"'[^']*'|\"(?:\\.|[^\"\\])*\"")
_REDIRECTION = re.compile(r"(?<![<=>-])\d?>>?\|?\s*(&?[^\s;&|<>()]+)")
_ASSIGNMENT = re.compile(r"^[A-Za-z_]\w*=")
_WORD = re.compile(r"^[\w./:@%+,=-]+$")
_NUMBER = re.compile(r"^\d+[smhd]?$")


def changes_something(command: str) -> bool:
    """Return whether a command, as /bin/sh gets it, plainly changes the server that it runs on.

    It errs on both sides: a script of unknown purpose is taken for one that shows something.
    """
    plain = _QUOTED.sub(lambda found: found[0][1:-1] if _WORD.match(found[0][1:-1]) else "_", command)
    if any(found[1] not in _NO_FILES for found in _REDIRECTION.finditer(plain)):
        return True
    inner = [text[1:-1] for text in _QUOTED.findall(command) if " " in text]
    parts = _SEPARATORS.split(_REDIRECTION.sub(" ", plain))
    return any(_part_changes(part.split()) for part in parts) or (
        _runs_shell(plain) and any(map(changes_something, inner))
    )


def _part_changes(words: list[str]) -> bool:
    if words[:2] == ["command", "-v"]:
        return False
    while words and (
        words[0] in _RUNNERS or words[0].startswith("-") or _ASSIGNMENT.match(words[0]) or _NUMBER.match(words[0])
    ):
        words = words[2:] if words[0] in ("-u", "-g") else words[1:]
    if not words:
        return False
    program = words[0].rpartition("/")[2]
    if program in _BY_WORD:
        return not _BY_WORD[program].isdisjoint(words[1:])
    is_list_of_mounts = words == ["mount"]
    return program in _ALWAYS and _LOOKS.isdisjoint(words[1:]) and not is_list_of_mounts


def _runs_shell(command: str) -> bool:
    words = command.split()
    return any(word.rpartition("/")[2] in ("sh", "bash", "dash") for word in words) and "-c" in words


def told_live(test: str, command: str) -> str:
    """Return, in words, that a test was run live since it gives this command."""
    return f"changes its server, so it was run live, as if marked so: {test}: {command}"
