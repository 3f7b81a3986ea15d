"""Makes tests/training/reference_net_benefit.json with dcurves, which no test needs.

In an environment of its own, with dcurves 1.1.7 (by the authors of the method; it wants an older pandas):
python tests/training/reference_net_benefit.py
"""

import json
from importlib.metadata import version
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85)  # two patients are predicted exactly 0.5


def curves(patients: pd.DataFrame) -> dict[str, dict[str, list[float]]]:
    """Net benefit of model, all and none, and interventions avoided per 100, by threshold."""
    from dcurves import dca  # type: ignore[import-not-found]

    # A threshold of 0 goes first, as dcurves gives the prevalence there.
    found = dca(patients[["y", "p"]], "y", ["p"], thresholds=[0.0, *THRESHOLDS], nper=100)
    by_model = {
        name: part.set_index("threshold").loc[list(THRESHOLDS)] for name, part in found.groupby("model")
    }
    return {
        "net_benefit": {name: list(part["net_benefit"]) for name, part in by_model.items()},
        "avoided": {"p": list(by_model["p"]["net_intervention_avoided"])},
    }


def main() -> None:
    """Write the figures of the patients of reference_metrics.json: of all, and of one sample."""
    patients = json.loads((HERE / "reference_metrics.json").read_text(encoding="utf-8"))["patients"]
    table = pd.DataFrame(patients)
    result = {
        "made_with": {"dcurves": version("dcurves")},
        "thresholds": THRESHOLDS,
        "everybody": curves(table),
        "drawn": curves(table.loc[table.index.repeat(table["copies"])]),
    }
    (HERE / "reference_net_benefit.json").write_text(json.dumps(result) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
