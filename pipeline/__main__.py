"""The program `pairstream`: a Ctrl-C ends it at once and without a traceback, unless a command has to clean up."""

import signal


def main() -> None:
    """Run one command and exit with its code.

    Python's own handler waits until a call into Kafka's client returns, which takes 15 s where no broker answers.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from pipeline.cli import main as command_line

    command_line(prog_name="pairstream")


if __name__ == "__main__":
    main()
