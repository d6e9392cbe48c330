"""`python -m sim_worker`: `mas sim-worker`, where the command is not installed."""

from __future__ import annotations

import sys

import typer

from mas_router.errors import MasError
from sim_worker.command import command


def main() -> None:
    """Run the worker; what is wrong is one line on stderr."""
    try:
        typer.run(command)
    except MasError as error:
        sys.stderr.write(f"mas sim-worker: {error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
