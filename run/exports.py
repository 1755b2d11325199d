"""What RDIA.py finds, in the forms that other tools read: cleanlab's columns, and tasks for Label Studio."""

import json
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from data.dataset import Dataset, with_descriptions
from models.examine import MORE_LIKELY
from run.decisions import DECIDED
from run.records import table_of, write_csv, write_text
from run.repairing import Found, most_suspect, suggested_labels

FORMATS_WRITTEN = ("cleanlab", "label_studio")
LOCAL_FILES = "/data/local-files/?d="  # where Label Studio serves the files of its document root


def export(found: Found, formats: list[str], folder: Path) -> None:
    """Write cleanlab.csv, or label_studio.json and .xml. Raises `InputError`."""
    if "cleanlab" in formats:
        write_csv(folder / "cleanlab.csv", *cleanlab_columns(found))
    if "label_studio" in formats:
        write_text(folder / "label_studio.json", json.dumps(tasks(found), ensure_ascii=False, indent=1) + "\n")
        write_text(folder / "label_studio.xml", labelling_view(found.dataset))


def cleanlab_columns(found: Found) -> tuple[list[str], list[tuple[object, ...]]]:
    """Header and rows, in the order of the data: the columns of `Datalab.get_issues("label")`, after the row.

    is_label_issue: more likely wrong than right. label_score: probability that the label is right.
    """
    names, order = np.array(found.dataset.classes), np.argsort(found.dataset.train.rows, kind="stable")
    p_wrong = found.repaired.p_wrong[order]
    return table_of(
        {
            "index": found.dataset.train.rows[order],
            "is_label_issue": p_wrong > MORE_LIKELY,
            "label_score": 1.0 - p_wrong,
            "given_label": names[found.data.given[order]],
            "predicted_label": names[found.repaired.labels.argmax(axis=1)[order]],
        }
    )


def tasks(found: Found) -> list[dict[str, Any]]:
    """A task for each suspect, most surely wrong first, with the suggested label as a prediction, if there is one."""
    dataset, p_wrong = found.dataset, found.repaired.p_wrong
    places = most_suspect(found)[: int((p_wrong > MORE_LIKELY).sum())]
    seen = with_descriptions(dataset, {"index": dataset.train.rows[places]})
    suggested, names = suggested_labels(found), np.array(dataset.classes)
    made = []
    for task, place in enumerate(places):
        row = {name: str(values[task]) for name, values in seen.items() if name != "index"}
        if "file" in row:
            row["image"] = LOCAL_FILES + row["file"]
        data = {**row, "run": found.key, "index": int(dataset.train.rows[place]), "given": str(names[found.data.given[place]])}
        data["sample"] = (
            row.get("text") or ", ".join(f"{name} {value}" for name, value in row.items() if value) or f"row {data['index']}"
        )
        said = [] if suggested.unsure[place] else [prediction(str(suggested.names[place]), float(suggested.p[place]))]
        made.append({"data": data, "predictions": said})
    return made


def prediction(label: str, score: float) -> dict[str, Any]:
    """A label with its probability, as Label Studio takes it."""
    result = {"from_name": DECIDED, "to_name": "sample", "type": "choices", "value": {"choices": [label]}}
    return {"model_version": "RDIA", "score": score, "result": [result]}


def labelling_view(dataset: Dataset) -> str:
    """The labelling interface, for the settings of a project."""
    shown = '<Image name="sample" value="$image"/>' if dataset.files else '<Text name="sample" value="$sample"/>'
    choices = "\n".join(f'    <Choice value="{escape(name)}"/>' for name in dataset.classes)
    return f"""<View>
  <Header value="row $index, given label: $given"/>
  {shown}
  <Choices name="{DECIDED}" toName="sample" choice="single-radio" required="true">
{choices}
  </Choices>
</View>
"""
