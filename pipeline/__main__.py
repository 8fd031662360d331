"""The program `pairstream`: a Ctrl-C before the command line is read ends it without a traceback."""

import signal


def main() -> None:
    """Run one command and exit with its code."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from pipeline.cli import main as command_line

    signal.signal(signal.SIGINT, signal.default_int_handler)
    command_line(prog_name="pairstream")


if __name__ == "__main__":
    main()
