import pytest

from goldfleet.ssh.failures import explain_login_error, is_final

TIMED_OUT = "ssh: connect to host 10.0.0.1 port 22: Connection timed out"


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        ("Host key verification failed.", "host key does not match the console's"),
        (TIMED_OUT, "SSH is closed: port 22 did not answer; the instance's security groups"),
        ("ssh: connect to host 10.0.0.1 port 22: Connection refused", "connection refused: no sshd listens"),
        ("admin@10.0.0.1: Permission denied (publickey).", "login denied to user admin: check ssh_username"),
        ("ssh: connect to host 10.0.0.1 port 22: No route to host", "no way to this address"),
        ("Connection timed out during banner exchange", "port 22 is open, but sshd does not answer"),
        ("no answer within 20 s", "port 22 is open, but sshd does not answer"),
        ("kex_exchange_identification: read: Connection reset by peer", "kex_exchange_identification"),
    ],
    ids=["host key", "closed", "refused", "denied", "no route", "banner", "silent", "unknown"],
)
def test_each_failure_has_words_of_its_own(error: str, meaning: str) -> None:
    assert explain_login_error(error, "admin").startswith(meaning)


def test_what_ssh_said_is_kept() -> None:
    assert explain_login_error(TIMED_OUT, "admin").endswith(f"(ssh: {TIMED_OUT.removeprefix('ssh: ')})")


def test_no_error_stays_none() -> None:
    assert explain_login_error("", "admin") == ""


@pytest.mark.parametrize(("error", "final"), [("Host key verification failed.", True), (TIMED_OUT, False), ("", False)])
def test_only_a_wrong_host_key_is_not_worth_waiting(error: str, final: bool) -> None:
    assert is_final(explain_login_error(error, "admin")) is final
