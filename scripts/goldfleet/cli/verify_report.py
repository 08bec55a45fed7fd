"""How `goldfleet verify` prints and writes what was found, and with which error it ends."""

from typing import TYPE_CHECKING, Any

from goldfleet.cli.output import UnfinishedError, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from goldfleet.errors import GoldfleetError
    from goldfleet.verify.budget import Budget
    from goldfleet.verify.model import HostResult
    from goldfleet.verify.wiring import Report

MOST_CHECKS_NAMED = 20
LONGEST_MESSAGE = 160

_BAD_VERDICTS = ("failed", "unreachable", "not checked")


def write_junit(report: "Report", file: "Path") -> None:
    """Write the JUnit file for all servers to a file of the user's choice.

    Raises UsageError when it cannot be written.
    """
    from goldfleet.errors import UsageError
    from goldfleet.verify.junit_report import build_junit

    try:
        file.write_text(build_junit(report.verdict), encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UsageError(f"--junit {file} cannot be written: {error.strerror or error}.") from error


def write_html(report: "Report", file: "Path") -> None:
    """Copy the page to a file of the user's choice.

    Raises UsageError when it cannot be written.
    """
    from pathlib import Path
    from shutil import copyfile

    from goldfleet.errors import UsageError
    from goldfleet.verify.reports import PAGE

    try:
        copyfile(Path(report.verdict.report_folder) / PAGE, file)
    except OSError as error:
        raise UsageError(f"--html {file} cannot be written: {error.strerror or error}.") from error


def show_report(report: "Report", as_json: bool, budget: "Budget | None" = None) -> None:
    """Print what was found.

    Raises UnfinishedError when a server is not proven, the run ended before its end, or has cost more than it may.
    """
    from goldfleet.verify.budget import exceeded

    over = exceeded(report.verdict, budget or {})
    facts = {**report_document(report), "over_budget": list(over)}
    if not as_json:
        print_report(report)
        for line in over:
            print(f"over budget: {line}")
    if error := what_went_wrong(report, over):
        raise UnfinishedError(error, facts)
    if as_json:
        print_json(facts)


def report_document(report: "Report") -> dict[str, Any]:
    """Return what was found as plain JSON values."""
    from goldfleet.verify.reports import verdict_document

    others = [vars(one) for one in report.others]
    return {
        "group": report.group,
        "run": report.run,
        "report_folder": report.verdict.report_folder,
        **verdict_document(report.verdict),
        "not_checked": others,
    }


def print_report(report: "Report") -> None:
    """Print a table of the servers, what is wrong with each, and who was not checked."""
    from goldfleet.verify.members import not_checked
    from goldfleet.verify.model import CheckOutcome

    hosts = report.verdict.hosts
    headings = ("instance", "address", "image", "verdict", "passed", "failed", "seconds s")
    print_table(
        headings,
        (
            (
                host.instance_id or "-",
                host.host,
                host.image_id or "-",
                host.verdict,
                str(host.count(CheckOutcome.PASSED)),
                str(len(host.bad)),
                f"{host.seconds:.1f}",
            )
            for host in hosts
        ),
    )
    for one in report.others:
        print(f"{one.instance_id}: {not_checked(one)}")
    for note in dict.fromkeys(host.note for host in hosts if host.note):
        print(f"note: {note}")
    for remark in report.verdict.remarks:
        print(f"note: {remark}")
    for line in report.verdict.differing:
        print(f"differs: {line}")
    for host in hosts:
        if why := host.unreachable or host.not_run:
            print(f"{host.instance_id or host.host} {host.verdict}: {why}")
    print_failed_checks(hosts)
    print(f"reports: {report.verdict.report_folder}")


def print_failed_checks(hosts: "Sequence[HostResult]") -> None:
    """Print each check that failed once, with the servers on which it did, and what the first of them said."""
    failed: dict[str, list[tuple[str, str]]] = {}
    for host in hosts:
        for check in host.bad:
            said = (check.message.splitlines() or [check.outcome.value])[0]
            failed.setdefault(check.name, []).append((host.instance_id or host.host, said))
    for name, found in list(failed.items())[:MOST_CHECKS_NAMED]:
        instances = ", ".join(instance_id for instance_id, _ in found)
        print(f"failed: {name} on {instances}:", f"    {found[0][1][:LONGEST_MESSAGE]}", sep="\n")
    if len(failed) > MOST_CHECKS_NAMED:
        print(f"failed: {len(failed) - MOST_CHECKS_NAMED} more checks, see the reports")


def what_went_wrong(report: "Report", over_budget: "Sequence[str]" = ()) -> "GoldfleetError | None":
    """Return the error with which the command ends, or None when every server is proven, at a cost that is allowed."""
    from goldfleet.errors import StoppedError, VerificationError

    hosts = report.verdict.hosts
    servers = f"servers of {report.group}" if report.group else "servers"
    if isinstance(report.error, StoppedError):
        done = f"S{servers[1:]} checked before: {len(hosts)}."
        return StoppedError(f"{report.error.message} {done}", "Their reports are kept; run again for the others.")
    if report.error is not None:
        return report.error
    if report.verdict.is_good:
        return (
            VerificationError(f"The run has cost more than it may: {'; '.join(over_budget)}.") if over_budget else None
        )
    wrong = [host for host in hosts if not host.is_good]
    if not wrong and report.verdict.differing:
        return VerificationError(
            f"Of the verdicts that {servers} shared, {len(report.verdict.differing)} are not what the checks come to by "
            "themselves.",
            "Such a check rests on something that it does not ask its server; see the reports, and run with --no-memo.",
        )
    counts = {verdict: sum(host.verdict == verdict for host in wrong) for verdict in _BAD_VERDICTS}
    told = ", ".join(f"{number} {verdict}" for verdict, number in counts.items() if number)
    return VerificationError(
        f"{len(wrong)} of {len(hosts)} {servers} are not proven: {told}.",
        f"All that they said is in {report.verdict.report_folder}.",
    )
