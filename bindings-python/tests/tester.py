# mypy: ignore-errors
"""Replays the programs that `cargo xtask tester` writes, and compares every answer with the core's.

    python tester.py programs.jsonl

Run it where `ringshift` is installed. A mismatch is printed as one line of JSON; the first of each
program only.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter

from tester_program import NotOffered, Program
from tester_words import unhex


def same(ours, core):
    """Equal, and of the same types: Python takes True for 1."""
    if isinstance(core, dict):
        return (
            isinstance(ours, dict)
            and ours.keys() == core.keys()
            and all(same(ours[name], core[name]) for name in core)
        )
    if isinstance(core, list):
        return isinstance(ours, list) and len(ours) == len(core) and all(map(same, ours, core))
    return ours == core and isinstance(ours, bool) == isinstance(core, bool)


def main(path):
    programs = calls = differ = 0
    not_offered: Counter[str] = Counter()
    began = time.perf_counter()
    with open(path, encoding="utf-8") as lines:
        head = json.loads(next(lines))
        pool = [unhex(one) for one in head["bytes"]]
        for line in lines:
            said = json.loads(line)
            programs += 1
            program = Program(pool)
            for at, (call, core) in enumerate(zip(said["calls"], said["answers"], strict=True)):
                try:
                    answer = program.call(call)
                except NotOffered:
                    not_offered[call["do"]] += 1
                    continue
                calls += 1
                if not same(answer, core):
                    differ += 1
                    where = {"seed": head["seed"], "program": said["program"], "call": at}
                    where |= {"did": call, "core": core, "python": answer}
                    print(json.dumps(where, default=repr))
                    break
    seconds = time.perf_counter() - began
    of = f"{calls} answers of {programs} programs in {seconds:.1f} s"
    print(f"Python: {of}, {differ} programs differ")
    if not_offered:
        print("not offered:", ", ".join(f"{name} ({count})" for name, count in not_offered.items()))
    return 1 if differ or not calls or not_offered else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
