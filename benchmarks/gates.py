"""How often a model without skill passes the gates, and how often their intervals hold the truth.

Each of 200 simulated cohorts of the size of the demo's is validated as it is (`benchmarks.held_intervals`)
and with its outcomes shuffled within each plan, so that nothing but the plan tells them. Checks of files,
sites held out, later landmarks and a champion, which a model without skill may well pass, are taken as
passed. Intervals of smaller cohorts are looked at, too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from joblib import Parallel, delayed, parallel_config
from rich.table import Table

from benchmarks.first_design import predict_first, validate_first
from benchmarks.held_intervals import CANDIDATE, JUDGED, hold_intervals, summarise
from benchmarks.simulated import cohort
from models.response_model import OUTCOMES
from training.gates.judge import judge, passed
from training.gates.parser import load_gates
from training.patients import Patients
from training.validation.held_out import hold_out_folds

if TYPE_CHECKING:
    from rich.console import Console

    from benchmarks.held_intervals import Held
    from features.cohort import Cohort
    from training.validation.results import Validation

__all__ = ["judge_first", "run", "shuffle_outcomes"]

_COHORTS: Final = {2_000: 200, 500: 100}
"""By their size: the demo's, and one at which intervals are hardest to get right."""
_POPULATIONS: Final = ("all", "subgroups")
"""For whom the gates are judged here."""
_AIM: Final = (0.92, 0.98)


def run(console: Console) -> dict[str, Any]:
    """Validate cohorts with and without skill."""
    size = max(_COHORTS)
    tasks = [(of, 1000 + number) for of, count in _COHORTS.items() for number in range(count)]
    with parallel_config(backend="loky", inner_max_num_threads=1):
        blind = Parallel(n_jobs=-1)(delayed(_judge_blind)(*task) for task in tasks if task[0] == size)
        seen = Parallel(n_jobs=-1)(delayed(_judge_and_hold)(*task) for task in tasks)
    judged = {
        "without skill": blind,
        "with skill": [verdict for (of, _), (verdict, _) in zip(tasks, seen, strict=True) if of == size],
    }
    held: dict[int, list[Held]] = {of: [] for of in _COHORTS}
    for (of, _), (_, found) in zip(tasks, seen, strict=True):
        held[of] += found
    result = {
        "candidate": CANDIDATE,
        "patients": size,
        **{
            key: {
                "cohorts": len(verdicts),
                "passed": sum(passes for passes, _ in verdicts),
                "passed skill": sum(skill for _, skill in verdicts),
            }
            for key, verdicts in judged.items()
        },
        "intervals": {
            str(of): {"cohorts": _COHORTS[of], **summarise(found, _COHORTS[of])} for of, found in held.items()
        },
    }
    _show(console, result)
    return result


def _judge_blind(size: int, seed: int) -> tuple[bool, bool]:
    made = shuffle_outcomes(cohort(size, seed), np.random.default_rng(seed))
    patients = Patients.from_cohort(made)
    table = predict_first(patients, hold_out_folds(patients, seed, 1), seed, CANDIDATE)
    return judge_first(validate_first(made, table, seed, CANDIDATE))


def _judge_and_hold(size: int, seed: int) -> tuple[tuple[bool, bool], list[Held]]:
    validated, held = hold_intervals(cohort(size, seed), seed)
    return judge_first(validated), held


def judge_first(validated: Validation) -> tuple[bool, bool]:
    """Judge a first design by the shipped gates for all patients and for subgroups.

    Parameters
    ----------
    validated : Validation
        From `benchmarks.first_design.validate_first`.

    Returns
    -------
    tuple of bool
        Whether all gates accept it, and whether that of skill does.
    """
    gates = load_gates(None)
    asked = tuple(gate for gate in gates.gates if gate.population in _POPULATIONS)
    judged = judge(validated, replace(gates, gates=asked))
    return passed(judged), all(one.accepted for one in judged if one.gate.name == "skill")


def shuffle_outcomes(made: Cohort, rng: np.random.Generator) -> Cohort:
    """Shuffle the outcomes of the patients with an endpoint, within each plan.

    Parameters
    ----------
    made : Cohort
    rng : Generator

    Returns
    -------
    Cohort
        In which response and remission of a patient are those of another one on the same plan.
    """
    response, remission = made.response.copy(), made.remission.copy()
    known = np.flatnonzero(~np.isnan(made.response))
    for plan in np.unique(made.rows[known, -1]):
        members = known[made.rows[known, -1] == plan]
        drawn = rng.permutation(members)
        response[members], remission[members] = made.response[drawn], made.remission[drawn]
    return replace(made, response=response, remission=remission)


def _show(console: Console, result: dict[str, Any]) -> None:
    for key in ("without skill", "with skill"):
        one = result[key]
        console.print(
            f"{key}: of {one['cohorts']} cohorts of {result['patients']} patients {one['passed']} passed the "
            f"gates, {one['passed skill']} the gate `skill` alone"
        )
    aim = f"aim {_AIM[0]:.0%} to {_AIM[1]:.0%}"
    for size, found in result["intervals"].items():
        table = Table(
            title=f"{found['cohorts']} cohorts of {size}: 95 % intervals that hold the truth; {aim}"
        )
        for column in ("figure", *(f"{o}: {c}" for o in OUTCOMES for c in ("mean (SD)", "held", "above"))):
            table.add_column(column, justify="right")
        for figure in found[OUTCOMES[0]]:
            cells = []
            for name in OUTCOMES:
                one = found[name][figure]
                low, high = one["covered within"]
                cells += [
                    f"{one['mean']:.3f} ({one['sd']:.3f})",
                    f"{one['covered']:.3f} ({low:.3f} to {high:.3f}) of {one['intervals']}",
                    f"{one['above']:.3f}",
                ]
            table.add_row(figure, *cells)
        console.print(table)
        shares = np.array([found[name][figure]["covered"] for name in OUTCOMES for figure in JUDGED])
        below, above = int((shares < _AIM[0]).sum()), int((shares > _AIM[1]).sum())
        console.print(
            f"{len(shares)} of these are judged by gates: {shares.mean():.3f} on average, "
            f"{below} below the aim, {above} above it"
        )
