"""Who runs, and ids that no other run has: what leases, tags and reports name a run by."""

import getpass
import os
import secrets
import socket

from goldfleet import tags
from goldfleet.aws.session import AwsSession
from goldfleet.aws.sts import Sts
from goldfleet.clock import Clock


def random_hex(digits: int) -> str:
    """Return so many random hexadecimal digits."""
    return secrets.token_hex((digits + 1) // 2)[:digits]


def new_run_id(clock: Clock) -> str:
    """Return the id of a run that starts now."""
    return tags.build_run_id(clock.now(), random_hex(tags.RUN_ID_DIGITS))


def describe_owner(session: AwsSession) -> str:
    """Return who this process is, for people who meet its lease: user, machine, process, AWS's name for the caller."""
    caller = Sts(session.sts()).caller_arn()
    return f"{getpass.getuser()}@{socket.gethostname()} (process {os.getpid()}, {caller})"
