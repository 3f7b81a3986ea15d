"""A validation as `validate` would write it, of figures that could be real, for reports to show."""

from dataclasses import replace
from typing import Any

import numpy as np

from training.bootstrap import Estimate
from training.diagnostics.findings import Finding
from training.validation.results import (
    Bounds,
    Comparison,
    Curve,
    Design,
    Instability,
    LearningPoint,
    MissingEndpoints,
    OutcomeValidation,
    Subgroup,
    Subgroups,
    Unit,
    Validation,
    to_plain,
)

NAN = float("nan")


def near(value: float, half: float) -> Estimate:
    return Estimate(value, value - half, value + half)


def metrics(shift: float = 0.0) -> dict[str, Estimate]:
    return {
        "auroc": near(0.68 + shift, 0.03),
        "average_precision": near(0.61 + shift, 0.04),
        "brier": near(0.221 - shift / 3, 0.008),
        "brier_skill": near(0.06 + shift, 0.02),
        "scaled_brier": near(0.09 + shift, 0.02),
        "log_loss": near(0.62 - shift, 0.02),
        "calibration_intercept": near(0.02 + shift, 0.15),
        "calibration_slope": near(1.03 + shift, 0.18),
        "ici": near(0.021, 0.012),
        "e50": near(0.017, 0.011),
        "e90": near(0.048, 0.02),
        "o_e": near(1.01, 0.06),
        "net_benefit_gain": near(0.012, 0.02),
    }


def make_design(key: str, title: str, shift: float, units: int = 0) -> Design:
    names = ("auroc", "calibration_intercept", "calibration_slope")
    rng = np.random.default_rng(units)
    held = tuple(
        Unit(
            f"site <{i:02d}>" if key == "leave_group_out" else f"202{i}-01-01 to 202{i}-12-31",
            40 + 9 * i,
            15 + 4 * i,
            {n: near(metrics()[n].value + rng.normal(0, 0.05), 0.12) for n in names} if i else {},
        )
        for i in range(units)
    )
    return Design(
        key,
        title,
        f"{title}: everything learned anew without what was held out; intervals by bootstrap of groups.",
        784,
        353,
        metrics(shift),
        held,
        {n: metrics()[n] for n in names} if units else {},
        {n: near(metrics()[n].value, 0.3) for n in names} if key == "leave_group_out" else {},
        {n: near(0.2, 0.15) for n in names} if units else {},
    )


def make_subgroups() -> tuple[Subgroups, ...]:
    figures = {
        "auroc": near(0.67, 0.05),
        "calibration_intercept": near(0.03, 0.2),
        "net_benefit_gain": near(0.02, 0.02),
    }
    sexes = (
        Subgroup("sex", "female", 510, 232, False, figures),
        Subgroup("sex", "male", 274, 121, False, figures),
        Subgroup("sex", "not recorded", 7, 2, True, {}),
    )
    return (
        Subgroups("sex", sexes, {"auroc": 0.41, "calibration_intercept": 0.0004, "net_benefit_gain": NAN}),
    )


def make_outcome(candidate: str, prevalence: float, *, same_data: bool) -> OutcomeValidation:
    x = np.linspace(0.08, 0.9, 40)
    t = np.linspace(0.05, 0.8, 31)
    everybody = prevalence - (1 - prevalence) * t / (1 - t)
    model = np.maximum(everybody, 0) + 0.03 * np.exp(-(((t - prevalence) / 0.2) ** 2))

    def band(at: Any, value: Any, half: float) -> Curve:
        return Curve(tuple(at), tuple(value), tuple(value - half), tuple(value + half))

    internal = (
        make_design("nested_cv", "Nested cross-validation", 0.0),
        make_design("leave_group_out", "Leave one site out", -0.02, 12),
        make_design("leave_period_out", "Leave one period out", -0.03, 4),
        make_design("optimism", "Optimism, 0.632+", 0.005),
        make_design("bootstrap_optimism", "Bootstrap optimism", 0.012),
    )
    external = (
        make_design("external", "External validation, as it is", -0.04),
        make_design("external_recalibrated_in_large", "External, recalibrated in the large", -0.03),
        replace(
            make_design("external_recalibrated", "External, logistic recalibration", -0.02),
            update={"intercept": near(-0.31, 0.2), "slope": near(0.82, 0.2)},
        ),
    )
    return OutcomeValidation(
        internal if same_data else external,
        candidate,
        band(x, x + 0.04 * np.sin(6 * x), 0.05),
        {"with": tuple(range(20)), "without": tuple(range(20, 0, -1))},
        {
            "model": band(t, model, 0.02),
            "all": band(t, everybody, 0.01),
            "none": band(t, 0 * t, 0.0),
            "avoided": band(t, 100 * np.clip(t - 0.3, 0, None), 4.0),
        },
        (0.3, 0.6),
        near(0.94, 0.02),
        make_subgroups(),
        MissingEndpoints(
            416,
            1200,
            {name: near(e.value, 0.03) for name, e in metrics(0.01).items() if name != "net_benefit_gain"},
            {"auroc": Bounds(0.31, 0.88), "brier": Bounds(0.4, 0.1)},
            702.0,
        ),
        Instability(
            50, near(0.031, 0.004), band(np.linspace(0.15, 0.8, 10), np.linspace(0.17, 0.77, 10), 0.06)
        ),
        tuple(
            LearningPoint(
                n,
                {"log_loss": near(0.62 + 20 / n, 0.02), "auroc": near(0.68 - 15 / n, 0.03)},
                {"log_loss": near(-20 / n, 0.011), "auroc": near(15 / n, 0.012)} if n > 100 else {},
            )
            for n in (100, 200, 400, 600, 784)
        ),
        Comparison(784, 353, {"log_loss": near(-0.004, 0.006)}) if same_data else None,
    )


def make_validation(
    name: str = "small", digest: str = "ab" * 32, *, same_data: bool = True
) -> dict[str, Any]:
    """What `validation.json` holds."""
    found = Validation(
        {"name": name, "version": "1", "artefact_digest": digest, "champion": "1" if same_data else ""},
        {
            "name": name,
            "title": "A small cohort",
            "provenance": "observational",
            "flow": {"rows": 1210, "excluded": {"no plan": 10}, "included": 1200, "with_endpoint": 784},
        },
        "cd" * 32,
        same_data,
        {
            "reproduced": (True, "Fitting with seed 3 gives these predictions to 1e-6."),
            "schema": (False, "Input crp of the champion is gone."),
        },
        {
            "response": make_outcome("ridge", 0.45, same_data=same_data),
            "remission": make_outcome("ridge", 0.27, same_data=same_data),
        },
        (Finding("group_shift", False, "crp", "Means differ by 1.2 SD between sites.", "Check the units."),),
        3,
    )
    return to_plain(found)
