"""The command `mas`. Its verbs are loaded when they are used; this file needs nothing but the standard library."""

from __future__ import annotations

import sys

NEEDED = "the command line needs typer and rich: pip install 'mas-order-router[ops]'"


def main() -> None:
    """Run the command line and exit: 0 done, 1 a check failed, 2 it could not be done, 130 interrupted."""
    try:
        from mas_router.cli.app import run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("typer", "rich"):
            raise
        sys.stderr.write(f"mas: {NEEDED}\n")
        sys.exit(2)
    sys.exit(run(sys.argv[1:]))
