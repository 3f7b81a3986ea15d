"""The command `report`: reads what was logged of a version, writes the files, logs them too."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from features.errors import RegistryError
from models.registry import connect
from training.files import check_folder, finite, write_text
from training.report.card import make_card, write_xml
from training.report.checklists import answer_probast, answer_tripod, list_questions, to_plain
from training.report.material import gather
from training.report.page import render
from training.report.specification import TreePart, specify_all
from training.report.specification import to_plain as plain_model
from training.report.study import load_study
from training.report.view import build_view

if TYPE_CHECKING:
    from collections.abc import Mapping

    from training.report.material import Material
    from training.report.study import Study

__all__ = ["Written", "make_files", "run_report"]

_LOGGED: Final = "report"


@dataclass(frozen=True)
class Written:
    """What a report left.

    Parameters
    ----------
    report, card : Path
        The pages.
    files : tuple of Path
        All of them.
    validated : bool
    not_stated : int
        Items of TRIPOD+AI that nobody answered, of 52.
    """

    report: Path
    card: Path
    files: tuple[Path, ...]
    validated: bool
    not_stated: int


def run_report(model: str, out: Path, study: Path | None = None) -> Written:
    """Write the report and the model card of a version into a folder, and log them to its run.

    Parameters
    ----------
    model : str
        `models:/NAME@ALIAS` or `models:/NAME/VERSION`.
    out : Path
        Folder; made if needed.
    study : Path, optional
        Study file.

    Returns
    -------
    Written

    Raises
    ------
    UserError
        If the study file, the model or the folder is at fault. Nothing is written then.
    """
    check_folder(out)
    stated = load_study(study, list_questions())
    material = gather(model)
    made = make_files(material, stated)
    out.mkdir(parents=True, exist_ok=True)
    for name, text in made.items():
        write_text(text, out / name)
    _log(material, made)
    items = answer_tripod(material, stated)
    return Written(
        out / "report.html",
        out / "model_card.html",
        tuple(out / name for name in made),
        material.validation is not None,
        sum(item.status == "not stated" for item in items),
    )


def make_files(m: Material, study: Study) -> dict[str, str]:
    """Make every file of a report.

    Parameters
    ----------
    m : Material
    study : Study

    Returns
    -------
    dict of str to str
        Text by name: `report.html`, `model_card.html`, `.json` and `.xml`, `checklists.json`, `model.json`
        (every coefficient in full) and, for trees, their dumps.
    """
    card = make_card(m, study)
    specified = specify_all(m.model)
    made = {
        "report.html": render("report.html.j2", build_view(m, study, specified)),
        "model_card.html": render(
            "model_card.html.j2",
            {
                "card": card,
                "name": m.version.name,
                "number": m.version.number,
                "title": m.cohort_file.title,
                "simulated": m.simulated,
            },
        ),
        "model_card.json": _json(card),
        "model_card.xml": write_xml(card),
        "checklists.json": _json(to_plain(answer_tripod(m, study), answer_probast(m, study))),
        "model.json": _json([plain_model(found) for found in specified]),
    }
    for found in specified:
        for part in found.parts:
            if isinstance(part, TreePart):
                made[f"trees-{found.landmark}-{found.outcome}-{part.name}.txt"] = part.dump
    return made


def _log(m: Material, made: Mapping[str, str]) -> None:
    client = connect()
    try:
        for name, text in made.items():
            client.log_text(m.version.run_id, text, f"{_LOGGED}/{name}")
    except Exception as exc:  # MLflow raises its own, SQLAlchemy's and requests' errors
        raise RegistryError(
            f"the report was written, but not logged to run {m.version.run_id} ({type(exc).__name__})"
        ) from exc


def _json(value: object) -> str:
    return json.dumps(finite(value), indent=2, ensure_ascii=False) + "\n"
