"""Kinds of faults of the application's files. Pure: they only write shell commands."""

import random
from shlex import quote

from tests.localcloud.planted.model import Fault, Kind, fault
from tests.localcloud.planted.specs.files import DIGESTS, LINKS, RIGHTS, TIMES

CONFIGS = tuple(path for path in DIGESTS if path.startswith("/opt/app/etc/"))
MODES = (0o000, 0o600, 0o664, 0o666, 0o700, 0o711, 0o777, 0o1755, 0o2755, 0o4755, 0o6777)
OWNERS = ("nobody:nogroup", "daemon:daemon", "4101:410", "54321:54321", "4102:54321")
CONF = "/opt/app/etc/app.conf"
GREETING = "/opt/app/etc/greeting.txt"
SHARE = "/opt/app/share"
WORDS = f"{SHARE}/words"
MANY = 10 * 1024 * 1024


def content(path: str) -> str:
    """Return the check that a file's content is what was installed."""
    return f"test_files::test_content_is_what_was_installed[{path}]"


def mode(chance: random.Random) -> Fault:
    """Other rights of a file or folder."""
    path = chance.choice(list(RIGHTS))
    other = chance.choice([one for one in MODES if one != RIGHTS[path][0]])
    return fault(f"chmod {other:o} {quote(path)}", f"test_files::test_mode[{path}]", path)


def owner(chance: random.Random) -> Fault:
    """Another owner, who need not exist."""
    path = chance.choice(list(RIGHTS))
    return fault(f"chown {chance.choice(OWNERS)} {quote(path)}", f"test_files::test_owner[{path}]", path)


def one_bit(chance: random.Random) -> Fault:
    """A bit of a file that has turned over; size and time are as before."""
    path, at, bit = chance.choice(list(DIGESTS)), chance.randrange(65536), 1 << chance.randrange(8)
    program = (
        "import os, sys; p = sys.argv[1]; s = os.stat(p); f = open(p, 'r+b'); d = bytearray(f.read()); "
        f"d[{at} % len(d)] ^= {bit}; f.seek(0); f.write(d); f.close(); os.utime(p, ns=(s.st_atime_ns, s.st_mtime_ns))"
    )
    return fault(f"python3 -c {quote(program)} {quote(path)}", content(path), path)


def gone(chance: random.Random) -> Fault:
    """A file that is not there."""
    path = chance.choice(list(DIGESTS))
    return fault(f"rm {quote(path)}", f"test_files::test_is_a_plain_file[{path}]", path)


def link_instead(chance: random.Random) -> Fault:
    """A link to a file that is the same, in its place."""
    path = chance.choice(list(DIGESTS))
    kept = f"/root/kept-{chance.randrange(10**6)}"
    command = f"mv {quote(path)} {kept} && ln -s {kept} {quote(path)}"
    return fault(command, f"test_files::test_is_a_plain_file[{path}]", path)


def folder_instead(chance: random.Random) -> Fault:
    """A folder in a file's place, with something in it or not."""
    path = chance.choice(CONFIGS)
    inside = chance.choice(["", f" && touch {quote(path)}/inside"])
    command = f"rm {quote(path)} && mkdir {quote(path)}{inside}"
    return fault(command, f"test_files::test_is_a_plain_file[{path}]", path)


def garbage_instead(chance: random.Random) -> Fault:
    """Bytes by chance, which are no UTF-8, in a text's place."""
    path, check = chance.choice([(GREETING, "test_letters_beyond_ascii"), (WORDS, "test_words_in_order")])
    garbage = f"random.Random({chance.randrange(10**6)}).randbytes({chance.randrange(1, 5000)})"
    program = f"import random; open({path!r}, 'wb').write(b'\\xff' + {garbage})"
    return fault(f"python3 -c {quote(program)}", f"test_files::{check}", path)


def other_letters(chance: random.Random) -> Fault:
    """A text in another encoding, or in another form of Unicode."""
    other = chance.choice(["latin-1", "utf-16", "utf-8-sig", "cp437"])
    program = f"open({GREETING!r}, 'wb').write('Grüße, señor\\n'.encode({other!r}))"
    return fault(f"python3 -c {quote(program)}", "test_files::test_letters_beyond_ascii", GREETING)


def line_more(chance: random.Random) -> Fault:
    """A line at the end of a file, with or without what ends it."""
    path = chance.choice([*CONFIGS, WORDS])
    line = chance.choice(["pool = 2", '# it\'s "here" $HOME `id` \\n %s %', "\r", "ü", " ", "port = 9999"])
    ends = chance.choice(["", "\\n"])
    return fault(f"printf '%s{ends}' {quote(line)} >> {quote(path)}", content(path), path)


def line_less(chance: random.Random) -> Fault:
    """A setting that is not there."""
    line = chance.choice(["port = 8081", "mode = production", "^workers = 4$"])
    word = line.strip("^").split()[0]
    return fault(f"sed -i /^{word}/d {CONF}", f"test_files::test_line_of_the_settings[{line}]", CONF)


def setting_is_no_number(chance: random.Random) -> Fault:
    """A setting that a fixture's user cannot read."""
    word = chance.choice(["four", "", "4;4"])
    return fault(f"sed -i 's/^workers.*/workers = {word}/' {CONF}", "test_system::test_setting[workers-4]", CONF)


def settings_are_no_settings(chance: random.Random) -> Fault:
    """A file in which a fixture itself fails."""
    line = chance.choice(["nonsense", "[app]\\n[app]", "port = 1\\nport = 2"])
    return fault(f"printf '{line}\\n' > {CONF}", "test_system::test_setting[port-8081]", CONF)


def features_are_no_json(chance: random.Random) -> Fault:
    """JSON that is cut off, or says something else."""
    path = "/opt/app/etc/features.json"
    text = chance.choice(['{"feature": {"search"', "", '{"feature": []}', '{"feature": {"search": 1}}', "null"])
    return fault(f"printf %s {quote(text)} > {path}", "test_files::test_search_is_on", path)


def emptied(chance: random.Random) -> Fault:
    """A file with nothing in it."""
    path = chance.choice(list(DIGESTS))
    return fault(f": > {quote(path)}", content(path), path)


def limits_are_others(chance: random.Random) -> Fault:
    """One limit of two, which a test looks at one by one."""
    line = chance.choice(["nofile", "nproc"])
    path = "/opt/app/etc/limits.conf"
    return fault(f"sed -i 's/^{line} .*/{line} 1/' {path}", "test_system::test_limits_one_by_one", path)


def huge(chance: random.Random) -> Fault:
    """A file of 10 MB or more, in many lines or in one."""
    size = MANY + chance.randrange(MANY)
    source = chance.choice(["yes", "tr '\\0' x < /dev/zero", "cat /dev/zero"])
    path, check = chance.choice([
        (WORDS, "test_words_in_order"), (f"{SHARE}/banner.bin", "test_banner_has_its_size"),
        (f"{SHARE}/ready", "test_sign_of_readiness_is_empty"),
    ])  # fmt: skip
    return fault(f"{source} | head -c {size} > {path}", f"test_files::{check}", path)


def not_empty(chance: random.Random) -> Fault:
    """Something in a file that is to be empty."""
    text = chance.choice([" ", "\\n", "0", "\\000", "\\377"])
    return fault(f"printf '{text}' > {SHARE}/ready", "test_files::test_sign_of_readiness_is_empty", f"{SHARE}/ready")


def link_elsewhere(chance: random.Random) -> Fault:
    """A link to another file, to itself, to nothing; or none at all."""
    path = chance.choice(list(LINKS))
    target = chance.choice(["releases/1", "/nowhere", path, "/etc/passwd", "/"])
    command = chance.choice([f"ln -sfn {target} {path}", f"rm {path}", f"rm {path} && echo link > {path}"])
    return fault(command, f"test_files::test_link[{path}]", path)


def time_of_a_file(chance: random.Random) -> Fault:
    """A time of a change long ago, or to come."""
    path = chance.choice(list(TIMES))
    moment = chance.choice(
        ["1970-01-01 00:00:00", "2038-01-19 03:14:08", "2024-02-28 11:59:59.999", "1969-12-31 23:59:58.5"]
    )
    command = f"touch -d '{moment} UTC' {path}"
    return fault(command, f"test_files::test_was_changed_when_it_was_released[{path}]", path)


def something_more(chance: random.Random) -> Fault:
    """A file, folder or pipe that is not to be there."""
    path = chance.choice(["/opt/app/etc/debug.conf", "/opt/app/maintenance", "/root/.netrc"])
    command = chance.choice(["touch", "mkdir", "mkfifo", "ln -s /etc/passwd"])
    return fault(f"{command} {path}", f"test_files::test_is_not_there[{path}]", path)


def odd_name(chance: random.Random) -> Fault:
    """A file of an odd name in a folder."""
    name = chance.choice(["zzz", "ä ö", "-rf", "two\nlines", "back\\slash", "\udcff", "x" * 255])
    command = f"touch -- {SHARE}/{quote(name)}" if name != "\udcff" else f"touch {SHARE}/$(printf '\\377')"
    return fault(command, "test_files::test_share_has_nothing_else", SHARE)


def logged(chance: random.Random) -> Fault:
    """A log that is not to be there."""
    name = f"app.{chance.randrange(1000)}.log"
    return fault(f"touch /opt/app/log/{name}", "test_files::test_nothing_is_logged", "/opt/app/log")


def pipe_is_none(chance: random.Random) -> Fault:
    """Something else in a pipe's place."""
    path = f"{SHARE}/orders"
    command = chance.choice([f"rm {path} && touch {path}", f"rm {path}", f"rm {path} && ln -s /dev/null {path}"])
    return fault(command, "test_files::test_orders_come_by_a_pipe", path, SHARE)


def secret_is_open(chance: random.Random) -> Fault:
    """A key that others may read."""
    path = "/opt/app/etc/secret.key"
    other = chance.choice(["chmod 644", "chown 4101", "chmod 640"])
    return fault(f"{other} {path}", "test_accounts::test_what_a_user_may_read", path, "/opt/app/etc")


def spool_is_closed(chance: random.Random) -> Fault:
    """A folder in which even root can write nothing, as a live test finds."""
    path = "/opt/app/spool"
    command = chance.choice([f"rm -r {path}", f"rm -r {path} && touch {path}", f"mkdir -p {path}/order"])
    return fault(command, "test_system::test_spool_takes_orders", path)


def old_release_is_gone(chance: random.Random) -> Fault:
    """What is expected to fail comes to pass, which a strict xfail does not like."""
    path = "/opt/app/releases/1"
    command = chance.choice([f"rm -r {path}", f"mv {path} {path}.old", f"rm -r {path} && ln -s nothing {path}"])
    return fault(command, "test_system::test_old_release_is_gone", path, f"{path}/index")


KINDS: tuple[Kind, ...] = (
    mode, owner, one_bit, gone, link_instead, folder_instead, garbage_instead, other_letters, line_more, line_less,
    setting_is_no_number, settings_are_no_settings, features_are_no_json, emptied, limits_are_others, huge, not_empty,
    link_elsewhere, time_of_a_file, something_more, odd_name, logged, pipe_is_none, secret_is_open, spool_is_closed,
    old_release_is_gone,
)  # fmt: skip
