"""Where the data for tests is: see tests/data/README.md."""

from __future__ import annotations

from pathlib import Path

DATA = Path(__file__).parent / "data"
SCHEMAS = DATA / "schemas"
SERVICE_CODES = DATA / "aws-errors.csv"
NAUGHTY_STRINGS = DATA / "naughty_strings/blns.json"
JSON_TEST_SUITE = DATA / "json_test_suite"
