"""Commands about the records: replay, verify-audit, erase."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from serving.records.replaying import Replayer
    from serving.records.store import Store, StoredPrediction
    from serving.settings import Settings

__all__ = ["add_commands"]

OPERATOR = "command line"
"""Who erases, in the audit trail."""

_SHOWN = 20


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the service's own.

    Parameters
    ----------
    app : Typer
    """
    app.command("replay")(replay)
    app.command("verify-audit")(verify)
    app.command("erase")(erase)


def replay(
    ids: Annotated[list[str] | None, typer.Argument(help="Predictions, by the id that was answered.")] = None,
    newest: Annotated[int, typer.Option("--newest", min=0, help="Also the newest N with inputs.")] = 0,
    model: Annotated[
        str | None,
        typer.Option("--model", help="Folder of the model, for predictions that were made from a folder."),
    ] = None,
) -> None:
    """Compute stored predictions anew, and compare with what was answered, to the last digit.

    Exit code 0 if all agree, 1 if any differs.
    """
    from features.errors import UserError
    from serving.loading import prepare_process

    prepare_process()
    settings = _settings()
    stored = _chosen(_store(settings), ids or [], newest)
    if not stored:
        raise UserError("replay: name predictions by their id, or ask for the --newest N")
    replayers: dict[tuple[str, str, str], Replayer] = {}
    differing = 0
    for prediction in stored:
        where = _replayer(replayers, prediction, model or settings.model).replay(prediction)
        if where:
            differing += 1
            typer.echo(f"{prediction.prediction_id} differs at: {', '.join(where[:_SHOWN])}")
    agreed = len(stored) - differing
    of = f"of {len(stored)} predictions, over {len(replayers)} versions"
    typer.echo(f"{agreed} {of}, agree to the last digit")
    if differing:
        raise typer.Exit(1)


def verify(
    head: Annotated[
        str | None,
        typer.Option("--head", help="A head noted earlier; the trail must still hold it."),
    ] = None,
) -> None:
    """Find lines of the audit trail, or records, that were changed, removed or added.

    Exit code 0 if there are none, 1 if there are.
    """
    from serving.records.chain import read_chain
    from serving.records.verifying import verify_audit

    settings = _settings()
    found = verify_audit(settings.records, read_chain(settings.records_key), head)
    for problem in found.problems[:_SHOWN]:
        typer.echo(problem)
    if len(found.problems) > _SHOWN:
        typer.echo(f"and {len(found.problems) - _SHOWN} more")
    typer.echo(f"{found.lines} lines, {len(found.problems)} problems, head {found.head}")
    if found.problems:
        raise typer.Exit(1)


def erase(
    patient: Annotated[
        str | None, typer.Option("--patient", help="Pseudonym as callers have sent it.")
    ] = None,
    older_than: Annotated[int | None, typer.Option("--older-than", min=0, help="Age in days.")] = None,
) -> None:
    """Erase the content of a patient's records, or of old ones; that they were made stays."""
    from features.errors import UserError

    if (patient is None) == (older_than is None):
        raise UserError("erase: say either --patient PSEUDONYM or --older-than DAYS")
    store = _store(_settings())
    if patient is not None:
        count = store.erase_patient(patient, OPERATOR)
    else:
        count = store.erase_before(datetime.now(UTC) - timedelta(days=older_than or 0), OPERATOR)
    store.close()
    typer.echo(f"content of {count} predictions erased")


def _settings() -> Settings:
    from serving.records.chain import RecordsError
    from serving.settings import load_settings

    settings = load_settings()
    if settings.records == "off":
        raise RecordsError("records are switched off (TREATMENT_RESPONSE_RECORDS=off)")
    return settings


def _store(settings: Settings) -> Store:
    from serving.records.chain import read_chain
    from serving.records.store import Store

    return Store(settings.records, read_chain(settings.records_key))


def _chosen(store: Store, ids: list[str], newest: int) -> list[StoredPrediction]:
    from serving.records.chain import RecordsError

    chosen = []
    for prediction_id in ids:
        found = store.find(prediction_id)
        if found is None:
            raise RecordsError("the records hold no prediction of that id")
        chosen.append(found)
    chosen += store.newest(newest) if newest else []
    store.close()
    return chosen


def _replayer(known: dict[tuple[str, str, str], Replayer], stored: StoredPrediction, folder: str) -> Replayer:
    from models.registry import locate
    from serving.records.replaying import Replayer, address_of

    version = (stored.model, stored.version, stored.digest)
    if version not in known:
        known[version] = Replayer(locate(address_of(stored) or folder))
    return known[version]
