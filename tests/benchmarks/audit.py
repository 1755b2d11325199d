"""Benchmark of the page where a person decides, in headless Chromium: MNIST's 60,000 training pictures, half of the labels wrong.

    python -m tests.benchmarks.audit --data_dir DIR      # two minutes, needs Debian's chromium

Size of the page, seconds from its address to the first frame, and milliseconds of a step of the slider: from the event to the end
of the layout, over 200 steps, and the same until the next frame is there.
"""

import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from data.dataset import Dataset
from data.matrix import compact
from data.noise import flip_share
from data.public import mnist_part
from models.linear import LinearModel
from page.render import write_page
from page.review import Review, review_of
from run.flags import Parser, add_data_dir
from run.script import run_script
from tests.browser import chromium

OPENINGS = 5
STEPS = """async (steps) => {
  const slider = document.getElementById('slider'), frame = () => new Promise(requestAnimationFrame), layout = [], frames = [];
  for (let step = 0; step < steps; step++) {
    await frame();
    const begin = performance.now();
    slider.value = (step * 389) % 1000;
    slider.dispatchEvent(new Event('input'));
    document.body.getBoundingClientRect();
    layout.push(performance.now() - begin);
    await frame();
    await frame();
    frames.push(performance.now() - begin);
  }
  return [layout, frames];
}"""


def mnist_review(data_dir: Path) -> Review:
    parts = [mnist_part(data_dir / "MNIST" / "raw", part) for part in ("train", "t10k")]
    train, test = (part._replace(x=compact(part.x.reshape(-1, 784) / 255)) for part in parts)
    dataset = Dataset(train, test, test, tuple(map(str, range(10))), None, (28, 28), ())
    given, model = flip_share(train.labels, 0.5, np.random.default_rng(1), 10), LinearModel(10, 0.1)
    weights = model.fit(train.x, given.labels)
    scores = model.influence(train.x, given.labels, test.x, test.labels, weights)
    metrics = {
        "validation": {"log_loss": 0.0, "accuracy": 0.0, "auc": None},
        "test": {"log_loss": 0.0, "accuracy": 0.0, "auc": None},
    }
    grid = [{"relabel": "R", "alpha": float(alpha), "changed": 0, "loss": float(alpha)} for alpha in np.linspace(0.2, 0, 12)]
    sizes = {f"n_{name}": len(part.labels) for name, part in (("train", train), ("validation", test), ("test", test))}
    facts = {
        "dataset": "MNIST",
        "model": "softmax regression",
        "alpha": 0.0,
        "alpha_chosen": False,
        "relabel": "R",
        "seed": 1,
        **sizes,
    }
    facts |= {"flipped": int(given.flipped.sum()), "methods": {"ERM": metrics, "RDIA": metrics}, "curve": grid, "run": "benchmark"}
    return review_of(facts, dataset, given, scores, train.x @ weights.T, weights)


def main() -> None:
    flags = Parser("benchmark", __doc__)
    add_data_dir(flags.add_argument_group("data"))
    data_dir = flags.parse_args().data_dir
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        path, openings = Path(folder) / "page.html", []
        found = mnist_review(data_dir)
        write_page(found, path)
        size = path.stat().st_size
        for _ in range(OPENINGS):
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            begin = time.perf_counter()
            page.goto(path.as_uri())
            page.wait_for_selector("html[data-ready]")
            page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
            openings.append(time.perf_counter() - begin)
            layout, frames = page.evaluate(STEPS, 200)
            page.close()
    print(f"{len(found.rows):,} samples, {found.facts['pictures']:,} pictures: {size / 1e6:.2f} MB")
    print(f"opened in {median(openings):.2f} s, slowest of {OPENINGS} {max(openings):.2f} s")
    for name, steps in (("to the end of the layout", layout), ("to a frame after it", frames)):
        share = sum(step < 50 for step in steps) / len(steps)
        print(f"a step of the slider {name}: median {median(steps):.1f} ms, {share:.0%} under 50 ms")


if __name__ == "__main__":
    run_script("benchmark", main)
