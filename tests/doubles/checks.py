"""Checks of a booted copy, named by what they find."""

from collections.abc import Callable

from goldfleet.bake.ports import Copy
from goldfleet.errors import VerificationError
from goldfleet.verify.model import CheckOutcome, CheckResult, HostResult

PASSED = CheckResult("test_web::test_page", CheckOutcome.PASSED, 0.1)
FAILED = CheckResult("test_web::test_nginx_is_running", CheckOutcome.FAILED, 0.1, "assert False\n + where")


class ChecksThatPass:
    """Every copy is good."""

    def __init__(self) -> None:
        self.seen: list[Copy] = []

    def wait_for_login(self, copy: Copy, timeout_seconds: float) -> None:
        assert copy.run.known_hosts.read_text().startswith(f"{copy.address} ssh-ed25519 ")

    def wait_for_service(self, copy: Copy, timeout_seconds: float) -> tuple[str, ...]:
        return ()

    def verify(self, copy: Copy, on_line: Callable[[str], None]) -> HostResult:
        self.seen.append(copy)
        return HostResult(copy.address, (PASSED,))


class ChecksThatFindABrokenWebServer(ChecksThatPass):
    """One of two checks fails."""

    def verify(self, copy: Copy, on_line: Callable[[str], None]) -> HostResult:
        return HostResult(copy.address, (PASSED, FAILED))


class ChecksThatFindACopyHeld(ChecksThatPass):
    """Something holds every copy for ever; whether the specs mind is said at the start."""

    def __init__(self, *results: CheckResult) -> None:
        super().__init__()
        self._results = results

    def wait_for_service(self, copy: Copy, timeout_seconds: float) -> tuple[str, ...]:
        return ("settings: settings are not resolved: this instance has no role.",)

    def verify(self, copy: Copy, on_line: Callable[[str], None]) -> HostResult:
        return HostResult(copy.address, self._results)


class ChecksThatCheckNothing(ChecksThatPass):
    """No check is run."""

    def verify(self, copy: Copy, on_line: Callable[[str], None]) -> HostResult:
        return HostResult(copy.address)


class ChecksThatLoseTheHost(ChecksThatPass):
    """The host goes away during the checks."""

    def verify(self, copy: Copy, on_line: Callable[[str], None]) -> HostResult:
        return HostResult(copy.address, unreachable="Connection timed out")


class ChecksThatNeverLogIn(ChecksThatPass):
    """No login works."""

    def wait_for_login(self, copy: Copy, timeout_seconds: float) -> None:
        raise VerificationError(f"No SSH login on {copy.address}.")


class ChecksThatRaise(ChecksThatPass):
    """The checks end with an error of any kind."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    def verify(self, copy: Copy, on_line: Callable[[str], None]) -> HostResult:
        raise self._error
