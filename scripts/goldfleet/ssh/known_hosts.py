"""Host keys, pinned from what cloud-init prints on an instance's console. Pure.

The console comes through AWS's API, which nobody on the network can forge; so no first connection is ever trusted.
Source: cloud-init documentation, `ssh` module, `emit_keys_to_console`.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

BEGIN = "-----BEGIN SSH HOST KEY KEYS-----"
END = "-----END SSH HOST KEY KEYS-----"

MINIMAL_FIELDS = 2
"""The kind, and at least one number."""

_KEY = re.compile(r"\b(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) ([A-Za-z0-9+/]+={0,2})")


@dataclass(frozen=True)
class HostKey:
    """One public host key, as sshd shows it."""

    kind: str
    key: str

    @property
    def is_sound(self) -> bool:
        """Tell whether the key is whole: fields with their lengths, no more, the first of which repeats the kind.

        Source: RFC 4253, section 6.6.
        """
        try:
            fields = _fields(base64.b64decode(self.key, validate=True))
        except binascii.Error:
            return False
        return len(fields) >= MINIMAL_FIELDS and fields[0] == self.kind.encode()


def parse_host_keys(console: str) -> tuple[HostKey, ...]:
    """Return the host keys in the last complete block of a console's output; () while there is none.

    A kernel's message in the middle of a key breaks that key: broken ones are left out.
    """
    end = console.rfind(END)
    begin = console.rfind(BEGIN, 0, end) if end >= 0 else -1
    if begin < 0:
        return ()
    found = (HostKey(*match.groups()) for match in _KEY.finditer(console[begin:end]))
    return tuple(dict.fromkeys(key for key in found if key.is_sound))


def known_hosts_lines(names: Sequence[str], keys: Iterable[HostKey]) -> tuple[str, ...]:
    """Return the lines of a known_hosts file that pin these keys to these names and addresses."""
    return tuple(f"{','.join(names)} {key.kind} {key.key}" for key in keys)


def pin(text: str, names: Sequence[str], keys: Iterable[HostKey]) -> str:
    """Return a known_hosts file's text with these keys for these names, and no others for any of them."""
    kept = [line for line in text.splitlines() if line.strip() and not _mentions(line, frozenset(names))]
    return "\n".join([*kept, *known_hosts_lines(names, keys)]) + "\n"


def pinned_for(text: str, name: str) -> tuple[HostKey, ...]:
    """Return the keys that a known_hosts file's text pins to a name."""
    lines = (line for line in text.splitlines() if line.strip() and _mentions(line, frozenset([name])))
    return tuple(HostKey(*words[1:3]) for words in map(str.split, lines) if len(words) >= 3)


def _fields(blob: bytes) -> list[bytes]:
    """Return the fields of a key's blob, each a length in four bytes and so many bytes; [] when it is cut off."""
    fields: list[bytes] = []
    while blob:
        length = int.from_bytes(blob[:4], "big")
        if len(blob) < 4 + length:
            return []
        fields.append(blob[4 : 4 + length])
        blob = blob[4 + length :]
    return fields


def _mentions(line: str, names: frozenset[str]) -> bool:
    if line.startswith(("#", "@")):
        return False
    return not names.isdisjoint(line.split(maxsplit=1)[0].split(","))
