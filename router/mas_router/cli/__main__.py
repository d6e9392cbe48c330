"""`python -m mas_router.cli` is `mas`, where no script is installed."""

from mas_router.cli import main

main()
