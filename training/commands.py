"""The command line of training: every command that a data scientist or CI runs."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from features.errors import UserError

__all__ = ["app", "main"]

app = typer.Typer(
    help="Simulate cohorts, fit and promote response models, predict in batches.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

CohortOption = Annotated[Path, typer.Option("--cohort", help="Cohort file (TOML).")]
DataOption = Annotated[str, typer.Option("--data", help="CSV or Parquet file, or an SQLAlchemy URL.")]
QueryOption = Annotated[str | None, typer.Option("--query", help="SQL query, with a URL as --data.")]
ModelOption = Annotated[
    str, typer.Option("--model", help="models:/NAME@ALIAS, models:/NAME/VERSION or a folder.")
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Same seed and data, same predictions.")]


@app.command()
def simulate(
    patients: Annotated[int, typer.Option("--patients", min=1, help="Number of patients.")],
    out: Annotated[Path, typer.Option("--out", help="CSV or Parquet file to write.")],
    seed: SeedOption = 0,
    truth: Annotated[
        Path | None, typer.Option("--truth", help="Also write the true probabilities here.")
    ] = None,
    signal: Annotated[
        float, typer.Option("--signal", min=0, help="Scale of all effects; 1 is the evidence.")
    ] = 1.5,
    population: Annotated[
        str, typer.Option("--population", help="trd, mdd, anxiety or single_infusion.")
    ] = "trd",
    setting: Annotated[str, typer.Option("--setting", help="clinic, trial or veterans.")] = "clinic",
    sites: Annotated[int, typer.Option("--sites", min=1, help="Number of treatment sites.")] = 12,
    drift: Annotated[
        float, typer.Option("--drift", help="Change of the response logit from the first to the last day.")
    ] = 0.0,
) -> None:
    """Simulate a cohort from published figures."""
    from features.simulation import simulate as make
    from training.files import check_suffix, write_table

    for path in (out, truth):
        if path is not None:
            check_suffix(path)
    made = make(
        patients, seed, population=population, setting=setting, signal=signal, sites=sites, drift=drift
    )
    write_table(made.table, out)
    typer.echo(f"{patients} simulated patients: {out}")
    if truth is not None:
        write_table(made.truth, truth)
        typer.echo(f"their true probabilities under every plan: {truth}")


@app.command()
def fit(
    cohort: CohortOption,
    data: DataOption,
    query: QueryOption = None,
    seed: SeedOption = 0,
    candidate: Annotated[
        str | None, typer.Option("--candidate", help="Use this candidate whatever the search says.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for metrics.json and predictions.csv.")
    ] = None,
    acknowledge: Annotated[
        list[str] | None,
        typer.Option(
            "--acknowledge",
            metavar="NAME",
            help="Go on in spite of this severe finding, or NAME:COLUMN of one column; may be repeated.",
        ),
    ] = None,
) -> None:
    """Cross-validate, fit, log to MLflow and register a version as @challenger."""
    from training.run import run_fit

    run_fit(cohort, data, query, seed=seed, candidate=candidate, out=out, acknowledged=acknowledge or ())


@app.command()
def score(
    model: ModelOption,
    data: DataOption,
    out: Annotated[Path, typer.Option("--out", help="CSV or Parquet file to write.")],
    query: QueryOption = None,
    probabilities_only: Annotated[
        bool, typer.Option("--probabilities-only", help="Without intervals, verdicts and missing inputs.")
    ] = False,
    landmark: Annotated[
        str, typer.Option("--landmark", help="Point of the course from which to predict.")
    ] = "baseline",
) -> None:
    """Predict every patient of a table."""
    from training.run import run_score

    rows = run_score(model, data, query, out, probabilities_only=probabilities_only, landmark=landmark)
    typer.echo(f"{rows} predictions: {out}")


@app.command()
def plans(
    model: ModelOption,
    data: DataOption,
    out: Annotated[Path, typer.Option("--out", help="CSV or Parquet file to write.")],
    query: QueryOption = None,
) -> None:
    """Compare every plan for every patient of a table.

    A column named like a safety question (docs/safety.md) holds its answers.
    """
    from training.plans.batch import run_plans

    table, unanswered = run_plans(model, data, query, out)
    typer.echo(f"{len(table)} rows, one per patient and plan: {out}")
    stopped = table["safety"].str.startswith("danger")
    if stopped.any():
        patients = int(stopped.sum()) // table["plan"].nunique()
        typer.echo(f"danger sign in {patients} patients: no plan for them; arrange an urgent evaluation now")
    open_questions = {name: count for name, count in unanswered.items() if count}
    if open_questions:
        listed = ", ".join(f"{name} ({count})" for name, count in open_questions.items())
        typer.echo(f"not answered, which is not a no (patients): {listed}")


@app.command()
def validate(
    model: ModelOption,
    cohort: CohortOption,
    data: DataOption,
    query: QueryOption = None,
    gates: Annotated[
        Path | None, typer.Option("--gates", help="Gates (TOML) instead of the shipped ones.")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", help="Folder for figures, verdicts, junit.xml and record.")
    ] = Path("validation"),
) -> None:
    """Validate a version, hold it against its gates and sign the record; exit code 1 if a gate stops it."""
    from training.gates.run import run_validate

    try:
        accepted = run_validate(model, cohort, data, query, gates_path=gates, out=out)
    except UserError:
        raise
    except Exception as exc:  # 1, Python's own code, would say that a gate stops the version
        traceback.print_exc()
        raise typer.Exit(3) from exc
    if not accepted:
        raise typer.Exit(1)


@app.command()
def promote(model: ModelOption) -> None:
    """Move @champion to a version whose signed record says that exactly its files passed their gates."""
    from training.gates.promotion import run_promote

    done = run_promote(model)
    typer.echo(
        f"version {done.version} of {done.name} is champion; its validation was signed {done.validated}"
    )
    if done.back_from:
        typer.echo(f"a way back: the record of version {done.back_from} names it as the one it replaced")


@app.command()
def report(
    model: Annotated[str, typer.Option("--model", help="models:/NAME@ALIAS or models:/NAME/VERSION.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the report and the model card.")],
    study: Annotated[
        Path | None, typer.Option("--study", help="Study file (TOML): what only people can say.")
    ] = None,
) -> None:
    """Write the report, TRIPOD+AI, PROBAST+AI and the model card of a version; no data needed."""
    from training.report.run import run_report

    written = run_report(model, out, study)
    typer.echo(f"report: {written.report}")
    typer.echo(f"model card: {written.card} (.json, and .xml in CHAI's schema v0.2)")
    if not written.validated:
        typer.echo("this version was never validated, and the report says so")
    typer.echo(
        f"TRIPOD+AI: {written.not_stated} of 52 items are not stated; docs/report.md says who can state them"
    )


@app.command()
def demo(
    patients: Annotated[
        int, typer.Option("--patients", min=100, help="Simulated patients to train on.")
    ] = 2000,
) -> None:
    """Simulate, fit, validate, promote, report, serve and ask for one patient's likelihood."""
    from training.demo import run_demo

    run_demo(patients)


def main() -> None:
    """Run a command; a user's mistake is one message on stderr and exit code 2."""
    try:
        app()
    except UserError as exc:
        typer.echo(f"error: {exc}", err=True)
        sys.exit(2)
