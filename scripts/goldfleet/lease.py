"""Who may do something now, said by one SSM parameter; DESIGN.md, section 5.

Parameter Store has no compare-and-swap, but it numbers the versions of a parameter. A lease is taken by creating the
parameter, or, once the record in it is released or expired, by a write whose version is exactly the one read plus 1:
between the two nobody else wrote. Whoever gets another version did not take the lease and puts back the record that it
wrote over. A lease is never deleted, or versions would start again at 1 and that rule would lie; it is released by
writing so. The holder reads its record back before each mutation, and renews it from a thread.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from goldfleet import tags
from goldfleet.aws.model import Parameter
from goldfleet.clock import Clock
from goldfleet.errors import AwsError, GoldfleetError, RefusedError, StoppedError

CLOCK_SKEW = timedelta(seconds=30)
"""How long after its expiry a lease still counts: clocks of two machines differ."""

SETTLE_SECONDS = 2.0
"""How long somebody who wrote by mistake may need to put the holder's record back."""

RENEWALS_PER_LEASE = 3
TOKEN_DIGITS = 32
"""How many random hexadecimal digits a holder's token has."""


class ParameterStore(Protocol):
    """Where leases are kept; goldfleet.aws.ssm.Ssm is one."""

    def get(self, name: str) -> Parameter | None:
        """Return a parameter; `name:version` asks for an older version of it."""
        ...

    def create(self, name: str, value: str) -> int | None:
        """Make a parameter and return its version; None when there is one already."""
        ...

    def put(self, name: str, value: str) -> int:
        """Set a parameter and return the version that this write got."""
        ...


@dataclass(frozen=True)
class Record:
    """What a lease's parameter says."""

    owner: str
    run: str
    token: str
    taken_at: str
    expires_at: str
    released: bool = False

    def is_live(self, now: datetime) -> bool:
        """Tell whether the lease keeps others out at this time."""
        expires_at = tags.parse_time(self.expires_at)
        return not self.released and expires_at is not None and now < expires_at + CLOCK_SKEW


def parse_record(parameter: Parameter) -> Record:
    """Return the record in a lease's parameter.

    Raises RefusedError when it holds something else.
    """
    try:
        return Record(**json.loads(parameter.value))
    except (ValueError, TypeError) as error:
        raise RefusedError(
            f"SSM parameter {parameter.name} should hold a lease, but holds {parameter.value[:80]!r}.",
            "Find out who wrote it; when nobody is at work, delete it.",
        ) from error


@dataclass(frozen=True)
class Holder:
    """Who wants a lease: a name that people recognise, the run, and a token that no other holder has."""

    owner: str
    run: str
    token: str


class Lease:
    """One named lease, for one holder."""

    def __init__(self, store: ParameterStore, clock: Clock, name: str, holder: Holder, duration: timedelta) -> None:
        self._store = store
        self._clock = clock
        self._name = name
        self._parameter = tags.lease_parameter(name)
        self._holder = holder
        self._duration = duration
        self._lock = threading.Lock()
        self._record: Record | None = None

    @property
    def renewal_seconds(self) -> float:
        """Return how long to wait between renewals."""
        return self._duration.total_seconds() / RENEWALS_PER_LEASE

    def acquire(self) -> None:
        """Take the lease.

        Raises RefusedError, which names owner, start and end, when somebody else has it.
        """
        with self._lock:
            record = self._new_record()
            if self._store.create(self._parameter, _text(record)) is None:
                self._take_over(record)
            self._record = record

    def assert_held(self) -> None:
        """Make sure that the lease is still this holder's; call it before each mutation.

        Raises StoppedError when it is not.
        """
        with self._lock:
            self._read_back()

    def renew(self) -> None:
        """Move the lease's end.

        Raises StoppedError when the lease is no longer this holder's.
        """
        with self._lock:
            seen = self._read_back()
            record = replace(parse_record(seen), expires_at=self._new_record().expires_at)
            if not self._write(record, seen.version):
                self._record = None
                raise StoppedError(f"Lease {self._name} was taken by somebody else.", "Run again.")
            self._record = record

    def release(self) -> None:
        """Give the lease up, if it is still this holder's; a second time does nothing."""
        with self._lock:
            if self._record is None:
                return
            seen = self._store.get(self._parameter)
            if seen is not None and parse_record(seen).token == self._holder.token:
                self._write(replace(self._record, released=True), seen.version)
            self._record = None

    def _new_record(self) -> Record:
        now = self._clock.now()
        holder = self._holder
        times = (tags.format_time(now), tags.format_time(now + self._duration))
        return Record(holder.owner, holder.run, holder.token, *times)

    def _take_over(self, record: Record) -> None:
        seen = self._store.get(self._parameter)
        if seen is None:
            raise RefusedError(f"Lease {self._name} was deleted while it was being taken.", "Run again.")
        other = parse_record(seen)
        if other.token == record.token:
            return  # the answer to our own `create` was lost, and botocore asked again
        if other.is_live(self._clock.now()):
            raise self._refusal(other)
        if not self._write(record, seen.version):
            raise self._refusal(self._last_holder() or other)

    def _refusal(self, other: Record) -> RefusedError:
        return RefusedError(
            f"Lease {self._name} is held by {other.owner} (run {other.run}), "
            f"since {other.taken_at}, until {other.expires_at} unless renewed.",
            "Wait for that run to end; if it was killed, the lease ends by itself.",
        )

    def _read_back(self) -> Parameter:
        """Return the lease's parameter, or raise StoppedError when it is no longer this holder's."""
        if self._record is not None and not self._has_ended(self._record):
            seen = self._own_parameter()
            if seen is None:
                self._clock.sleep(SETTLE_SECONDS)
                seen = self._own_parameter()
            if seen is not None:
                return seen
        self._record = None
        raise StoppedError(f"Lease {self._name} is no longer held by this run.", "Run again.")

    def _own_parameter(self) -> Parameter | None:
        seen = self._store.get(self._parameter)
        return seen if seen is not None and parse_record(seen).token == self._holder.token else None

    def _has_ended(self, record: Record) -> bool:
        expires_at = tags.parse_time(record.expires_at)
        return expires_at is None or self._clock.now() >= expires_at

    def _write(self, record: Record, version_read: int) -> bool:
        """Write over the version just read; tell whether nobody else wrote in between, or else undo it."""
        version = self._store.put(self._parameter, _text(record))
        if version == version_read + 1:
            return True
        overwritten = self._store.get(f"{self._parameter}:{version - 1}")
        if overwritten is None:
            return False
        if version == version_read + 2 and parse_record(overwritten).token == record.token:
            return True  # the answer to our own first write was lost, and botocore wrote again
        self._store.put(self._parameter, overwritten.value)
        return False

    def _last_holder(self) -> Record | None:
        seen = self._store.get(self._parameter)
        return parse_record(seen) if seen else None


@contextmanager
def renewed(lease: Lease) -> Iterator[None]:
    """Renew a lease from a thread while the block runs.

    A renewal that AWS refuses is tried again at the next turn; a lease that ended meanwhile shows in `assert_held`.
    """
    done = threading.Event()

    def renew() -> None:
        while not done.wait(lease.renewal_seconds):
            try:
                lease.renew()
            except AwsError:
                continue
            except GoldfleetError:
                return

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _text(record: Record) -> str:
    return json.dumps(asdict(record), sort_keys=True)
