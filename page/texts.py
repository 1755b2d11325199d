"""What the page says of its run, by its order: influence, the probability of a wrong label, chance, or loss (RDIA-LS.py)."""

import html

from run.records import Record
from run.report import DONE, between

BY_INFLUENCE = {
    "lead": "RDIA found training labels that seem harmful and suggests others. You decide.",
    "threshold": "",
    "decide": "2. Decide, most harmful first",
    "export": "3. Export your decisions",
    "order": "most harmful first",
    "suspects": "Phi above alpha",
    "again": "To fit on them,",
}
BY_PROBABILITY = {
    **BY_INFLUENCE,
    "lead": "RDIA found training labels that are probably wrong, and suggests others where it is sure. You decide.",
    "threshold": "hidden",  # nothing is chosen on the page
    "decide": "1. Decide, most surely wrong first",
    "export": "2. Export your decisions",
    "order": "most surely wrong first",
    "suspects": "more likely wrong than right",
    "again": "To repair with them,",
}
BY_CHANCE = {  # in place of what a page of a ranking or of losses says
    "lead": "These training rows were drawn at random. Decide all of them, also those that are hard: in the next run they are"
    " trusted rows, by which all others are judged.",
    "decide": "1. Check each label",
    "order": "drawn at random",
    "suspects": "drawn at random",
}
BY_LOSS = {
    "lead": "A network that was trained by RDIA-LS predicts other labels for some training samples. You decide.",
    "threshold": "hidden",  # nothing is chosen on the page: the suspects are those of suspects.csv
    "decide": "1. Decide, least likely labels first",
    "export": "2. Export your decisions",
    "order": "least likely labels first",
    "suspects": "another label is predicted",
    "again": "To train on them,",
}


OF_SUSPECTS = ("Wrong labels", "Suspects", "Listed with a promise")  # facts that a page of rows drawn at random has not


def texts(facts: Record) -> dict[str, str]:
    """The places of page.html that depend on the run."""
    of_order = {
        "influence": (BY_INFLUENCE, facts_by_influence, metrics_table),
        "wrong": (BY_PROBABILITY, facts_by_probability, metrics_table),
        "loss": (BY_LOSS, facts_by_loss, accuracy_table),
    }
    drawn, by_loss = facts["order"] == "drawn", "method" in facts
    said, facts_of, table_of = of_order[("loss" if by_loss else "wrong") if drawn else facts["order"]]
    shown = facts_of(facts)
    if drawn:
        count = f"{facts['suspects']:,} of {facts['n_train']:,} training {'samples' if by_loss else 'rows'}"
        said, shown = said | BY_CHANCE, {"Drawn": count, **{name: text for name, text in shown.items() if name not in OF_SUSPECTS}}
    items = "\n".join(f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd></div>" for name, text in shown.items())
    return {**said, "dataset": html.escape(facts["dataset"]), "facts": items, "table": table_of(facts)}


def facts_by_influence(facts: Record) -> dict[str, str]:
    """Model, alpha, noise and sizes of a run of RDIA.py."""
    return {
        "Model": facts["model"],
        "alpha": f"{facts['alpha']:.4g}, {'chosen on validation rows' if facts['alpha_chosen'] else 'as given'}",
        "Suspects are": DONE[facts["relabel"]],
        "Noise": injected(facts),
        "Rows": f"{facts['n_train']:,} training, {facts['n_validation']:,} validation (trusted), {facts['n_test']:,} test",
        "Seed": str(facts["seed"]),
    }


def facts_by_probability(facts: Record) -> dict[str, str]:
    """Wrong labels, suspects, noise and sizes of a run by the protocol auto."""
    wrong, shown = facts["wrong_labels"], {}
    if facts["fdr"] is not None:
        promise = f"{facts['listed']:,}, of which at most {facts['fdr']:.0%} are right, in expectation"
        shown["Listed with a promise"] = (
            promise if facts["listed"] else "none can be: there are few trusted rows, or few wrong labels"
        )
    return {
        "Wrong labels": f"about {wrong['estimate']:,.0f}{between(wrong)}",
        "Suspects": f"{facts['suspects']:,} of {facts['n_train']:,} training labels",
        **shown,
        "Noise": injected(facts),
        "Rows": f"{facts['n_train']:,} training, {facts['n_trusted']:,} trusted, {facts['n_test']:,} test",
        "Seed": str(facts["seed"]),
    }


def facts_by_loss(facts: Record) -> dict[str, str]:
    """Method, noise and sizes of a run of RDIA-LS.py."""
    source = "estimated from the labels" if facts["estimated"] else "as given"
    return {
        "Method": f"{facts['method']}, {facts['epochs']} epochs",
        "Wrong labels": f"{facts['noise_rate']:.1%}, {source}",
        "Suspects": f"{facts['suspects']:,} of {facts['n_train']:,} training labels",
        "Noise": injected(facts),
        "Samples": f"{facts['n_train']:,} training, {facts.get('n_trusted', 0):,} trusted, {facts['n_test']:,} test",
        "Seed": str(facts["seed"]),
    }


def injected(facts: Record) -> str:
    """How many labels were flipped on purpose."""
    flipped = facts["flipped"]
    return f"{flipped:,} of {facts['n_train']:,} labels flipped on purpose" if flipped else "none injected"


NAMES = {
    "ERM": "ERM: labels as given",
    "RDIA": "RDIA: suspects relabeled",
    "Trusted": "Trusted: these rows alone",
    "ERM + Trusted": "ERM + Trusted: both, as given",
    "Repaired": "Repaired: labels and model",
    "Decided": "Decisions of a person",
}


def metrics_table(facts: Record) -> str:
    """Log-loss, accuracy and AUC of each fit on test rows, if there are any."""
    rows: dict[str, tuple[str, ...]] = {}
    for name, text in NAMES.items():
        if metrics := facts["methods"].get(name, {}).get("test"):
            auc = "-" if metrics["auc"] is None else f"{metrics['auc']:.4f}"
            rows[text] = (f"{metrics['log_loss']:.4f}", f"{metrics['accuracy']:.1%}", auc)
    return table("Fitted on", ("log-loss", "accuracy", "AUC"), rows) if rows else ""


def accuracy_table(facts: Record) -> str:
    """The accuracy of the trained network on test rows, in the last ten epochs and the best one."""
    of = "Labels as given" if facts["decided"] is None else f"With {facts['decided']:,} labels of a person"
    columns, cells = ("accuracy, last ten epochs", "best epoch"), (f"{facts['last10']:.1f}%", f"{facts['best']:.1f}%")
    where = "test rows taken from yours, with labels as given" if facts.get("noisy_test") else "the test set"
    return table("Trained on", columns, {of: cells}, where)


def table(first: str, columns: tuple[str, ...], rows: dict[str, tuple[str, ...]], where: str = "the test set") -> str:
    """A table of results."""
    head = "".join(f'<th scope="col">{name}</th>' for name in (first, *columns))
    body = "\n".join(
        f'<tr><th scope="row">{name}</th>{"".join(f"<td>{c}</td>" for c in cells)}</tr>' for name, cells in rows.items()
    )
    return f"""<table class="results">
      <caption>Results on {where}</caption>
      <thead><tr>{head}</tr></thead>
      <tbody>
{body}
      </tbody>
    </table>"""
