"""How many of mutmut's mutants the tests have killed, by file; exit status 1 below 90% of them.

python -m mutmut run                          all, or those that are new
python -m mutmut run "influence.rows.*"       these, again
python -m tests.mutants                       what came out
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
