"""One MLflow run for a fit, and the registered version that comes last."""

from __future__ import annotations

import importlib.metadata
import io
import platform
import tempfile
import warnings
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from features.errors import RegistryError
from models.registry import DIGEST_TAG, FOLDER, connect, tracking_uri
from models.storage import save_model
from training.code_version import code_version
from training.durability.figure import durability_figure
from training.figures import calibration_figure, candidates_figure, roc_figure
from training.logged_model import LOADER
from training.plans.figures import effects_figure, policy_figure
from training.run_metrics import durability_metrics, landmark_metrics, plan_metrics, stopping_metrics
from training.scoring import output_columns
from training.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow.models import ModelSignature

    from models.response_model import ResponseModel
    from training.fit import Fit

__all__ = ["FIT_KEY_TAG", "log_fit", "promote", "ready_store"]

FIT_KEY_TAG: Final = "fit_key"
_VERSIONS_OF: Final = (
    "treatment-response",
    "numpy",
    "scipy",
    "scikit-learn",
    "xgboost-cpu",
    "pandas",
    "mlflow",
    "optuna",
)


def ready_store(name: str) -> str:
    """Connect to the tracking store and make sure that the cohort's experiment exists.

    Called before the long work, so that a store that does not answer is found at once.

    Parameters
    ----------
    name : str
        The cohort's name, which is the experiment's and the registered model's.

    Returns
    -------
    str
        Id of the experiment.

    Raises
    ------
    RegistryError
        If the store does not answer.
    """
    client = connect()
    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        return str(experiment.experiment_id)
    uri = tracking_uri()
    beside = (
        Path(uri.removeprefix("sqlite:///")).parent / "artifacts" if uri.startswith("sqlite:///") else None
    )
    return str(client.create_experiment(name, artifact_location=beside.as_uri() if beside else None))


def log_fit(fit: Fit, experiment_id: str, fit_key: str) -> tuple[str, str]:
    """Log a fit, register its model as a new version and set `@challenger`.

    The version is registered last: a fit that is interrupted leaves a run that is not finished and
    no version.

    Parameters
    ----------
    fit : Fit
    experiment_id : str
    fit_key : str
        What a later fit can be recognised by as the same.

    Returns
    -------
    version : str
    run_id : str
    """
    import mlflow

    name = fit.cohort.file.name
    model = fit.model
    with (
        _quiet(),
        mlflow.start_run(experiment_id=experiment_id) as run,
        tempfile.TemporaryDirectory() as scratch,
    ):
        _log_results(fit)
        folder = Path(scratch) / FOLDER
        digest = save_model(model, folder)
        logged = mlflow.pyfunc.log_model(
            name="model",
            loader_module=LOADER,
            data_path=str(folder),
            signature=_signature(model.baseline),
            pip_requirements=[f"treatment-response=={importlib.metadata.version('treatment-response')}"],
            metadata={"provenance": fit.cohort.file.provenance},
        )
    tags = {DIGEST_TAG: digest, FIT_KEY_TAG: fit_key, "provenance": fit.cohort.file.provenance}
    with _quiet():
        version = str(mlflow.register_model(logged.model_uri, name, tags=tags).version)
    mlflow.MlflowClient().set_registered_model_alias(name, "challenger", version)
    return version, run.info.run_id


def promote(name: str, version: str, alias: str = "champion") -> None:
    """Move an alias to a version.

    Parameters
    ----------
    name : str
    version : str
    alias : str

    Raises
    ------
    RegistryError
        If the store does not answer or does not hold the version.
    """
    client = connect()
    try:
        client.set_registered_model_alias(name, alias, version)
    except Exception as exc:
        raise RegistryError(f"cannot make version {version} of {name} the {alias}") from exc


def _log_results(fit: Fit) -> None:
    """Parameters, metrics, figures and texts; no patient's row."""
    import mlflow

    summary = summarise(fit)
    file = fit.cohort.file
    mlflow.set_tags(
        {"provenance": file.provenance, "cohort": file.name, "data_digest": summary["data_digest"]}
    )
    mlflow.set_tag("code_version", code_version())
    mlflow.log_params({"seed": fit.seed, "candidate_fixed": fit.only or "none", "parameters": fit.parameters})
    mlflow.log_params({"acknowledged": ", ".join(fit.acknowledged) or "none"})
    mlflow.log_params(
        {f"{name}_candidate": fit.validated.final.searches[name].winner for name in fit.outcomes}
    )
    mlflow.log_params(
        {
            f"{name}_{candidate}_{key}": value
            for name in fit.outcomes
            for candidate, params in fit.validated.final.searches[name].choice.params.items()
            for key, value in params.items()
        }
    )
    for name, report in fit.outcomes.items():
        for metric, estimate in report.metrics.items():
            for end in ("value", "low", "high"):
                suffix = "" if end == "value" else f"_{end}"
                mlflow.log_metric(f"{name}_{metric}{suffix}", getattr(estimate, end))
        title = f"{name.capitalize()}, out of fold ({file.provenance}). {file.title}"
        used = fit.validated.final.searches[name].winner
        mlflow.log_figure(
            calibration_figure(report.repeats, fit.weights, title), f"figures/{name}_calibration.png"
        )
        mlflow.log_figure(
            roc_figure(report.repeats, report.metrics["auroc"], title), f"figures/{name}_roc.png"
        )
        mlflow.log_figure(candidates_figure(report.gains, used, title), f"figures/{name}_candidates.png")
    mlflow.log_metrics(landmark_metrics(fit) | stopping_metrics(fit) | durability_metrics(fit))
    durability = fit.durability_report
    if fit.durability is not None and durability is not None and durability.effects is not None:
        title = f"Relapse-free, by maintenance ({file.provenance}). {file.title}"
        mlflow.log_figure(durability_figure(fit.durability, durability, title), "figures/durability.png")
    if fit.plans is not None and file.plan is not None:
        title = f"{{}}, out of fold ({file.provenance}). {file.title}"
        effects = effects_figure(fit.plans, file.plan.reference, title.format("Plans"))
        mlflow.log_figure(effects, "figures/plan_effects.png")
        mlflow.log_figure(policy_figure(fit.plans, title.format("Choosing plans")), "figures/plan_policy.png")
        mlflow.log_metrics(plan_metrics(fit.plans))
    mlflow.log_dict(summary, "metrics.json")
    mlflow.log_text(file.text, "cohort.toml")
    mlflow.log_dict({"python": platform.python_version()} | _versions(), "versions.json")


def _versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in _VERSIONS_OF}


def _signature(model: ResponseModel) -> ModelSignature:
    """Named input columns as the cohort file declares them, named output columns as `score` writes them."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    kinds = {"number": DataType.double, "binary": DataType.double}
    file = model.cohort_file
    inputs: list[Any] = [
        ColSpec(kinds.get(p.kind, DataType.string), p.name, required=False) for p in file.baseline_predictors
    ]
    if file.row_id is not None:
        inputs.insert(0, ColSpec(DataType.string, file.row_id, required=False))
    if file.plan is not None:
        inputs.append(ColSpec(DataType.string, file.plan.column))
    outputs: list[Any] = [ColSpec(DataType.string if file.row_id else DataType.long, file.row_id or "row")]
    texts = {"plan", "verdict", "missing"}
    outputs += [ColSpec(DataType.string if c in texts else DataType.double, c) for c in output_columns(model)]
    return ModelSignature(Schema(inputs), Schema(outputs))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep MLflow's notes on its own internals off the terminal; its errors are raised all the same."""
    with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
