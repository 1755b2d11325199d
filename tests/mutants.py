"""Which share of mutmut's mutants the tests notice, by file; exit status 1 below 85%.

    python -m mutmut run                                            # all of them: hours
    python -m mutmut run "models.settings.*"                        # those of one module
    python -m mutmut run $(python -m tests.mutants --sample 200)    # a random part, always the same; any run makes the mutants
    python -m tests.mutants                                         # what came out

A mutant that no test notices is read: either it gives the same numbers, or a test is missing.
"""

import argparse
import json
import random
import sys
from collections import Counter
from pathlib import Path

LEAST = 0.85
UNNOTICED = {0: "survived", 33: "no test", None: "not run"}  # by the exit status of the tests; any other means noticed
SEED = 15  # of the sample


def statuses() -> dict[str, dict[str, int | None]]:
    """The exit status of each mutant by name, by file."""
    return {
        str(path.with_suffix("")): json.loads(path.read_text())["exit_code_by_key"]
        for path in sorted(Path("mutants").rglob("*.meta"))
    }


def report() -> None:
    """Print how many of each file's mutants were noticed."""
    everywhere: Counter[str] = Counter()
    for name, found in statuses().items():
        counts = Counter(UNNOTICED.get(status, "noticed") for status in found.values())
        everywhere += counts
        print(f"{name:40}", *(f"{kind} {counts[kind]}" for kind in ("noticed", *UNNOTICED.values()) if counts[kind]))
    tried = everywhere.total() - everywhere["not run"]
    share = everywhere["noticed"] / max(1, tried)
    print(f"{share:.1%} of {tried} noticed")
    if share < LEAST:
        sys.exit(f"expected {LEAST:.0%}: python -m mutmut results lists the others, python -m mutmut show NAME shows one")


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--sample", type=int, help="print the names of this many mutants, drawn at random")
    count = flags.parse_args().sample
    if count is None:
        report()
    else:
        names = sorted(name for found in statuses().values() for name in found)
        print(*random.Random(SEED).sample(names, min(count, len(names))))


if __name__ == "__main__":
    main()
