"""How many of mutmut's mutants the tests have killed, by file; exit status 1 below 90% of them.

python -m mutmut run                          all, or those that are new
python -m mutmut run "influence.rows.*"       these, again
python -m tests.mutants                       what came out

Those that survive were read: they give the same numbers. They change
- what is not looked at: `check_finite`, `overwrite_a`, `strict`, the text of a `cast`, a second index of -2, more of a tuple that
  has no more, the shape and the number of classes that would be found without being said, the device of what is on the CPU;
- a branch for sparse rows whose other branch gives the same;
- what is multiplied by 0 or stands for a norm of 0, a place to start from, the seed or the order of a draw;
- what is decided by a tie, or by the sign of a uniform draw;
- how much work is done at once, or to a smaller residual than is asked for, or twice as much of what is compared only with itself;
- what a check looks at whose next line refuses the same.
"""

import json
import sys
from collections import Counter
from pathlib import Path

LEAST = 0.9
FOUND = {0: "survived", 33: "no test", None: "not run"}  # by the exit status of the tests, of which any other is a kill


def main() -> None:
    everywhere: Counter[str] = Counter()
    for path in sorted(Path("mutants").rglob("*.meta")):
        statuses = json.loads(path.read_text())["exit_code_by_key"].values()
        counts = Counter(FOUND.get(status, "killed") for status in statuses)
        everywhere += counts
        if counts:
            print(f"{path.stem:16}", *(f"{name} {counts[name]}" for name in ("killed", *FOUND.values()) if counts[name]))
    share = everywhere["killed"] / max(1, everywhere.total() - everywhere["not run"])
    print(f"{share:.1%} of {everywhere.total() - everywhere['not run']} killed")
    if share < LEAST:
        sys.exit(f"expected {LEAST:.0%}: python -m mutmut results lists the others, python -m mutmut show NAME shows one")


if __name__ == "__main__":
    main()
