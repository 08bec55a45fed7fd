"""How much of what a script wrote each call shows: pure.

Source: API reference, GetCommandInvocation (24,000 and 8,000 characters) and CommandPlugin (2,500); the marks, and that lengths
are counted in bytes of UTF-8, are amazon-ssm-agent's (pluginutil.StringPrefix, iohandler.TruncateOutput and its test).
"""

STDOUT_LIMIT = 24_000
STDERR_LIMIT = 8_000
PLUGIN_LIMIT = 2_500
CUT = "--output truncated--"
OUTPUT_CUT = "\n---Output truncated---"
ERROR_CUT = "\n---Error truncated----"
ERROR_TITLE = "\n----------ERROR-------\n"


def stdout_content(written: bytes) -> str:
    """Return what GetCommandInvocation shows of a standard output."""
    return _prefix(written, STDOUT_LIMIT)


def stderr_content(written: bytes, code: int) -> str:
    """Return what GetCommandInvocation shows of a standard error; the agent adds a line of its own to a failure."""
    said = f"failed to run commands: exit status {code}".encode() if code else b""
    return _prefix(written + said, STDERR_LIMIT)


def _prefix(written: bytes, limit: int) -> str:
    """Return the beginning; as in the agent, what has exactly the limit's length is cut too."""
    if len(written) < limit:
        return written.decode(errors="replace")
    return written[: limit - len(CUT)].decode(errors="replace") + CUT


def plugin_output(stdout: str, stderr: str, limit: int = PLUGIN_LIMIT) -> str:
    """Return what ListCommandInvocations shows of both outputs, at most `limit` bytes; what is cut says so."""
    out, error = stdout.encode(), stderr.encode()
    title = ERROR_TITLE if error else ""
    room = limit - len(title)
    if len(out) + len(error) <= room:
        return stdout + title + stderr
    for_out = max(room // 2, room - len(error))
    for_error = room - min(len(out), for_out)
    return _cut(out, for_out, OUTPUT_CUT) + title + _cut(error, for_error, ERROR_CUT)


def _cut(text: bytes, limit: int, mark: str) -> str:
    if len(text) <= limit:
        return text.decode(errors="replace")
    return text[: max(0, limit - len(mark))].decode(errors="replace") + mark
