"""What each more server costs the machine that judges: processor time, memory, seconds, by `goldfleet verify`'s job.

sshds, agents and judge share this machine, so seconds are mostly those of the servers; processor time is the judge's alone.
Start-up is what the job takes for one server.
"""

from tests.bench.verify import one_job
from tests.bench.verify.bench import Bench, Figure, median, slope
from tests.bench.verify.contenders import JOB, Asked, Round

GOAL_CPU_MS = 6.0
GOAL_MB = 64.0
PATIENT_SECONDS = 60.0
"""To connect: this machine does the handshakes of all servers at one time, which servers would do each for itself."""

HEADINGS = (
    f"{'servers':>7} {'rounds':>6} {'seconds':>8} {'CPU s':>7} {'+ CPU ms/server':>15} {'peak MB':>8} {'+ MB':>6} "
    f"{'connections':>11} {'sessions':>8}"
)


def measure(bench: Bench) -> list[Figure]:
    """Print a line for each number of servers, and what one more adds."""
    bench.warm_up([JOB])
    sizes = sorted({1, *bench.options.sizes})
    turns = {
        size: (JOB, Asked(bench.site, bench.site.addresses[:size], connect_seconds=PATIENT_SECONDS)) for size in sizes
    }
    taken = bench.take_rounds(turns)
    cpu = {float(size): median(rounds, _cpu_seconds) for size, rounds in taken.items()}
    memory = {size: median(rounds, _memory_mb) for size, rounds in taken.items()}
    seconds = {float(size): median(rounds) for size, rounds in taken.items()}
    print(HEADINGS)
    for size in sizes:
        more = 1000 * (cpu[size] - cpu[1]) / (size - 1) if size > 1 else 0.0
        last = taken[size][-1]
        print(
            f"{size:7} {len(taken[size]):6} {seconds[size]:8.2f} {cpu[size]:7.2f} {more:15.2f} {memory[size]:8.1f} "
            f"{memory[size] - memory[1]:6.1f} {last.connections:11} {last.sessions:8}",
            flush=True,
        )
    most, last = sizes[-1], taken[sizes[-1]][-1]
    beyond = 1000 * (cpu[most] - cpu[1]) / (most - 1)
    return [
        Figure(f"CPU per server, {most} servers, beyond start-up", beyond, "ms", GOAL_CPU_MS),
        Figure(f"memory, {most} servers, beyond start-up", memory[most] - memory[1], "MB", GOAL_MB),
        Figure(f"{most} servers: connections per host", last.connections / most, "", 1, is_exact=True),
        Figure(f"{most} servers: sessions per host", last.sessions / most, "", 1, is_exact=True),
        Figure("slope: CPU per server", 1000 * slope(cpu), "ms"),
        Figure("slope: wall per server (servers on this machine)", 1000 * slope(seconds), "ms"),
    ]


def _cpu_seconds(one: Round) -> float:
    return one_job.read(one.ran.output).cpu_seconds


def _memory_mb(one: Round) -> float:
    return one_job.read(one.ran.output).memory_mb
