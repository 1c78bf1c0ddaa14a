"""The examples run, and say what they say they say."""

from __future__ import annotations

import subprocess
import sys

from worlds import REPOSITORY


def test_the_first_twenty_lines_run() -> None:
    program = REPOSITORY / "examples" / "python" / "quickstart.py"
    run = [sys.executable, "-W", "error", str(program)]
    said = subprocess.run(run, check=True, capture_output=True, text=True)
    assert said.stderr == ""
    lines = said.stdout.splitlines()
    assert lines[:2] == ["pg-1", "Value(value=b'3 apples', version=4294967296)"]
    assert any(line.startswith("writes go to  pg-1") for line in lines)
