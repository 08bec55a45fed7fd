import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfleet.ssh.known_hosts import BEGIN, END, HostKey, parse_host_keys, pin, pinned_for


def key_of(kind: str, body: bytes = bytes(32)) -> HostKey:
    fields = (kind.encode(), body)
    blob = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    return HostKey(kind, base64.b64encode(blob).decode())


ED25519, RSA, ECDSA = key_of("ssh-ed25519"), key_of("ssh-rsa"), key_of("ecdsa-sha2-nistp256")
OTHER = key_of("ssh-ed25519", bytes(31) + b"1")


def block(*keys: HostKey, prefix: str = "") -> str:
    lines = [BEGIN, *(f"{key.kind} {key.key} root@host" for key in keys), END]
    return "".join(f"{prefix}{line}\r\n" for line in lines)


@pytest.mark.parametrize(
    ("console", "keys"),
    [
        (block(ED25519, RSA, ECDSA), (ED25519, RSA, ECDSA)),
        ("[    1.0] Linux\n" + block(ED25519) + "\nlogin: ", (ED25519,)),
        (block(ED25519, prefix="<14>Nov 23 14:15:30 cloud-init: "), (ED25519,)),
        (block(OTHER) + "reboot\n" + block(ED25519), (ED25519,)),
        (block(OTHER) + block(ED25519).partition(END)[0], (OTHER,)),
        (block(ED25519, ED25519), (ED25519,)),
        ("", ()),
        (BEGIN + "\n", ()),
        (END + "\n" + BEGIN, ()),
        (block(), ()),
        (f"ssh-ed25519 {ED25519.key}\n", ()),
        (block(HostKey("ssh-ed25519", ED25519.key[:20])), ()),
        (block(HostKey("ssh-rsa", ED25519.key), ED25519), (ED25519,)),
    ],
    ids=[
        "all kinds",
        "among other lines",
        "with a syslog prefix",
        "the newest of two",
        "the newest complete one",
        "twice the same",
        "nothing yet",
        "unfinished",
        "no beginning",
        "empty block",
        "outside of a block",
        "cut off in the middle",
        "kind that does not fit the key",
    ],
)
def test_keys_of_the_last_complete_block_are_read(console: str, keys: tuple[HostKey, ...]) -> None:
    assert parse_host_keys(console) == keys


@given(st.text())
def test_no_console_output_is_too_strange(console: str) -> None:
    assert all(key.is_sound for key in parse_host_keys(block(ED25519) + console))


def test_keys_are_pinned_for_all_names() -> None:
    assert pin("", ["10.0.0.1", "web"], [ED25519]) == f"10.0.0.1,web ssh-ed25519 {ED25519.key}\n"


def test_new_keys_replace_those_of_any_of_the_names_and_leave_the_rest() -> None:
    old = f"10.0.0.1,old ssh-ed25519 {OTHER.key}\n10.0.0.2 ssh-ed25519 {OTHER.key}\n# 10.0.0.1 note\n"
    assert pin(old, ["web", "10.0.0.1"], [ED25519]) == (
        f"10.0.0.2 ssh-ed25519 {OTHER.key}\n# 10.0.0.1 note\nweb,10.0.0.1 ssh-ed25519 {ED25519.key}\n"
    )


def test_pinning_twice_changes_nothing() -> None:
    once = pin("", ["a"], [ED25519, RSA])
    assert pin(once, ["a"], [ED25519, RSA]) == once


def test_pinned_keys_are_found_by_any_of_their_names() -> None:
    text = pin("# ours\n10.0.0.9,i-9 ssh-ed25519 other\n", ["10.0.0.1", "i-1"], [ED25519, RSA])
    assert pinned_for(text, "i-1") == (ED25519, RSA)
    assert pinned_for(text, "10.0.0.1") == (ED25519, RSA)
    assert pinned_for(text, "i-2") == ()
