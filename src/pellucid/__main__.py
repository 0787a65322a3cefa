"""Run the command with ``python -m pellucid``."""

from pellucid.cli import main

main()
