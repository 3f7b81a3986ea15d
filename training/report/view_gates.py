"""Gates in the report: a row for each gate and outcome, and each subgroup in a folded table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from training.report.blocks import Table
from training.report.words import is_defined, say

if TYPE_CHECKING:
    from training.report.material import Material

__all__ = ["show_checks", "show_gates"]

_MANY: Final = 4
"""More verdicts of one gate and outcome than this are folded away behind the worst of them."""
_HEAD: Final = ("Gate", "Outcome", "For", "Figure (95 % interval)", "Bound", "Verdict")

_Verdict = Mapping[str, Any]


def show_gates(m: Material) -> list[Table]:
    """Tabulate the verdicts; those of the signed record, the worst of each gate, where no others were logged.

    Parameters
    ----------
    m : Material

    Returns
    -------
    list of Table
        Empty without verdicts. The first has a row for each gate and outcome, or for each of a few whom it
        judges; each further one holds whom the first has only the worst of.
    """
    judged: dict[tuple[str, str], list[_Verdict]] = {}
    for verdict in m.verdicts or m.record.values.get("gates") or ():
        judged.setdefault((_name(verdict), str(verdict.get("outcome") or "")), []).append(verdict)
    if not judged:
        return []
    rows, folded = [], []
    for (name, outcome), verdicts in judged.items():
        if len(verdicts) <= _MANY:
            rows += [_row(verdict) for verdict in verdicts]
            continue
        worst = min(verdicts, key=lambda v: (bool(v.get("ok")), v.get("verdict") == "pass"))
        passed = sum(v.get("verdict") == "pass" for v in verdicts)
        whom = f"each of {len(verdicts)}, {passed} pass; the worst: {worst.get('for')}"
        rows.append(_row({**worst, "for": whom}))
        folded.append(Table(f"{name}: {outcome}", _HEAD, [_row(verdict) for verdict in verdicts]))
    return [Table("Gates of the last validation", _HEAD, rows), *folded]


def _row(verdict: _Verdict) -> list[str]:
    figure = {key: verdict.get(key) for key in ("value", "low", "high")}
    told = " ".join(filter(None, [say(figure, 3), str(verdict.get("where") or "")]))
    # The evidence of a check that holds stands in a table of its own (`show_checks`).
    reason = "" if verdict.get("verdict") == "pass" else str(verdict.get("reason") or "")
    accepted = " (accepted)" if verdict.get("ok") and verdict.get("verdict") != "pass" else ""
    return [
        _name(verdict),
        str(verdict.get("outcome") or ""),
        str(verdict.get("for") or ""),
        told if is_defined(figure) else reason,
        str(verdict.get("bound", "")),
        f"{verdict.get('verdict', '')}{accepted}",
    ]


def _name(verdict: _Verdict) -> str:
    return str(verdict.get("name", "")).replace("_", " ")


def show_checks(validation: Mapping[str, Any] | None) -> Table | None:
    """Tabulate the facts that were checked, with their evidence.

    Parameters
    ----------
    validation : mapping or None
        As logged.

    Returns
    -------
    Table or None
    """
    checks: Mapping[str, Sequence[Any]] = {} if validation is None else validation["checks"]
    rows = [
        [name.replace("_", " "), "yes" if so else "NO", evidence] for name, (so, evidence) in checks.items()
    ]
    return Table("Facts that were checked", ["Check", "Holds", "Evidence"], rows) if rows else None
