"""Run the command line as `python -m goldfleet`."""

from goldfleet.cli import main

if __name__ == "__main__":
    main()
