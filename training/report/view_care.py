"""Sections on care: plans, landmarks, durability, the rule for stopping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from training.report.blocks import Figure, Table, tabulate_metrics
from training.report.curves import draw_relapse
from training.report.forest import Row, draw_forest
from training.report.words import Plain, is_defined, say, say_number, say_share

if TYPE_CHECKING:
    from collections.abc import Mapping

    from training.report.material import Material

__all__ = ["show_durability", "show_landmarks", "show_plans", "show_stopping"]

_POLICIES: Final = {
    "usual": "Usual assignment",
    "single": "Best plan for all",
    "tree": "Shallow tree",
    "model": "By patient, with the model",
}
_GAINS: Final = {
    "model_over_single": "By patient over the best plan for all",
    "tree_over_single": "Shallow tree over the best plan for all",
    "model_over_usual": "By patient over usual assignment",
}


def show_plans(m: Material) -> list[Figure]:
    """Draw average effects against the reference plan, and the value of policies."""
    found, plan = m.metrics.get("plans"), m.cohort_file.plan
    if not found or plan is None:
        return []
    effects: Mapping[str, Plain] = found["effects"]
    rows = [
        Row(name.replace("_", " "), e["difference"], f"{e['responders']} / {e['patients']}")
        for name, e in effects.items()
        if name != plan.reference
    ]
    values = [Row(_POLICIES.get(name, name), value) for name, value in found["values"].items()]
    gains = [Row(_GAINS.get(name, name), gain) for name, gain in found["gains"].items()]
    return [
        Figure(
            draw_forest(
                "plans",
                rows,
                "Plans against the reference plan",
                f"Responders more in 100 than on {plan.levels[plan.reference]}",
                guide=0.0,
                scale=100,
                digits=1,
                columns=("Plan", "responders / patients"),
            ),
            f"Average difference if all patients were on a plan, doubly robust; {found['interval']}.",
            _tabulate_plans(effects, found["patients"]),
        ),
        Figure(
            draw_forest(
                "policies",
                [Row("Responders in 100 under", kind="heading"), *values],
                "Value of ways to choose plans",
                "Responders in 100",
                scale=100,
                digits=1,
            ),
            "Out of fold, doubly robust.",
        ),
        Figure(
            draw_forest(
                "policy-gains",
                gains,
                "Gain by choosing plans",
                "Responders more in 100",
                guide=0.0,
                scale=100,
                digits=1,
            ),
            f"{found['choice']['sentence']} E-value of the gain: {say_number(found['gain_e_value'])}.",
        ),
    ]


def _tabulate_plans(effects: Mapping[str, Plain], patients: int) -> Table:
    rows = [
        [
            name.replace("_", " "),
            say_share(e["supported"], patients),
            say(e["response"], 1, 100),
            say_number(100 * e["naive"], 1),
            say(e["ratio"]),
            f"{say_number(e['e_value'])}; {say_number(e['e_value_of_limit'])}",
            say(e["calibration"]),
            say(e["autoc"], 3),
        ]
        for name, e in effects.items()
    ]
    head = [
        "Plan",
        "Patients with support",
        "Responders in 100, if all had it",
        "Naive difference",
        "Risk ratio",
        "E-value; of its limit",
        "Slope of effects on predictions",
        "AUTOC",
    ]
    note = (
        "A slope or an AUTOC whose interval holds 0 shows no difference of effects between patients. "
        "E-value: how strong a hidden confounder would have to be."
    )
    return Table("Plans: support, effects, heterogeneity", head, rows, note, wide=True)


def show_landmarks(m: Material) -> list[Figure]:
    """Draw how well each later landmark predicts, and what it gains on the same patients."""
    figures = []
    landmarks: Mapping[str, Plain] = m.metrics.get("landmarks") or {}
    for outcome in m.metrics["outcomes"] if landmarks else ():
        baseline = m.metrics["outcomes"][outcome]
        counts = f"{baseline['events']} / {baseline['patients']}"
        rows = [Row("baseline", baseline["metrics"]["auroc"], counts)]
        table = []
        for name, found in landmarks.items():
            at = found["outcomes"][outcome]
            rows.append(
                Row(name.replace("_", " "), at["metrics"]["auroc"], f"{at['events']} / {at['patients']}")
            )
            table.append(
                [
                    name.replace("_", " "),
                    str(found["patients_in_care"]),
                    str(found["observed"]),
                    say(at["metrics"]["brier_skill"], 3),
                    say(at["metrics"]["calibration_slope"]),
                    say(at["gain_over_baseline"]["auroc"], 3),
                    say(at["gain_over_baseline"]["log_loss"], 3),
                ]
            )
        head = ["Landmark", "In care", "With an endpoint and a value", "Brier skill", "Calibration slope"]
        head += ["AUROC gained", "Log loss saved"]
        figures.append(
            Figure(
                draw_forest(
                    f"landmarks-{outcome}",
                    rows,
                    f"Landmarks, {outcome}",
                    "AUROC",
                    guide=0.5,
                    columns=("Known from", "events / patients"),
                ),
                f"{outcome.capitalize()}: discrimination from each landmark, out of fold.",
                Table(f"Landmarks, {outcome}: gains on the same patients", head, table, wide=True),
            )
        )
    return figures


def show_durability(m: Material) -> tuple[list[str], list[Figure], list[Table]]:
    """Show calibration of the relapse-free share by week, figures, and follow-up by maintenance."""
    found = m.metrics.get("durability")
    if not found:
        return [], [], []
    notes = [
        f"{found['responders']} responders, {found['followed']} of them followed.",
        *found.get("warnings", []),
    ]
    tables = [
        Table(
            "Follow-up of responders by maintenance",
            ["Maintenance", "Responders", "Relapses"],
            [
                [name.replace("_", " "), str(level["responders"]), str(level["relapses"])]
                for name, level in found["by_maintenance"].items()
            ],
        )
    ]
    validation = found.get("validation")
    if not validation:
        return [*notes, "No durability model: too few relapses."], [], tables
    known: Mapping[str, Plain] = validation["remission_known"]
    weeks = sorted(int(name.removeprefix("relapse_free_")) for name in known if "relapse_free_" in name)
    weeks = [
        w for w in weeks if is_defined(known[f"relapse_free_{w}"]) and is_defined(known.get(f"predicted_{w}"))
    ]
    overall = {name: e for name, e in known.items() if not name[-1].isdigit()}
    tables.insert(0, tabulate_metrics(overall, f"Durability: {validation['design']}"))
    notes.append(f"Model used: {found['candidate'].replace('_', ' ')}. Band of each curve: {found['band']}.")
    if effects := found.get("effects"):
        tables.append(_tabulate_maintenance(effects))
    figures = []
    if weeks:
        rows = [
            [str(w), *(say(known.get(f"{of}_{w}")) for of in ("predicted", "relapse_free", "calibration"))]
            for w in weeks
        ]
        figures.append(
            Figure(
                draw_relapse("relapse", weeks, known),
                f"Calibration of the share without relapse: predicted and observed, {validation['design']}, "
                f"{validation['responders']} responders.",
                Table(
                    "Without relapse, by week",
                    ["Week", "Predicted", "Observed", "Predicted minus observed"],
                    rows,
                ),
            )
        )
    return notes, figures, tables


def _tabulate_maintenance(effects: Plain) -> Table:
    """Rate and hazard ratios of relapse, by maintenance."""
    ratios = (effects["relapse_rate_ratio"], effects["cox_hazard_ratio"])
    names = dict.fromkeys(name for found in ratios for name in found)
    rows = [[name.replace("_", " "), *(say(found.get(name)) for found in ratios)] for name in names]
    return Table(
        f"Relapse by maintenance, against {effects['reference'].replace('_', ' ')}",
        ["Maintenance", f"Relapses in {effects['weeks']:g} weeks, ratio", "Hazard ratio (Cox)"],
        rows,
        f"Assumes: {effects['assumption']}.",
    )


def show_stopping(m: Material) -> Table | None:
    """Tabulate the error rates of the futility rule; None without one."""
    found = m.metrics.get("stopping")
    if not found:
        return None
    words = {
        "false_stops": "Responders whom the rule would have stopped",
        "caught": "Non-responders whom the rule finds",
        "model_false_stops": "Responders whom the model, stopping as many, would have stopped",
    }
    rows = [
        [text, f"{share['count']} of {share['of']}", say(share, 1, 100)]
        for key, text in words.items()
        if (share := found.get(key))
    ]
    note = f"{found['rule']} Source: {found['source']}."
    return Table("The rule for stopping early", ["", "Patients", "In 100 (95 % interval)"], rows, note)
