"""The command line: one module per command group; parse, call, print, exit code."""


def main() -> None:
    """Run the command line and exit with a code of docs/runbooks."""
    import sys

    from goldfleet.cli.app import run

    sys.exit(run(sys.argv[1:]))
