"""`python -m groundlint` is the command."""

from groundlint.cli import main

main()
