"""The command `validate` with its side effects: files, the run, the signed record."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from features.cohort import load_cohort
from features.cohort_file import load_cohort_file
from features.errors import GatesError
from models.keys import TRUSTED_KEYS, key_id, read_private, read_trusted, signing_key, trusted_keys
from models.record import RECORD_FILE, SIGNED_FILES, record_text, sign, write_record
from models.registry import RECORD_TAGS, connect
from training.files import check_folder, write_text
from training.gates.judge import judge, passed
from training.gates.outputs import judged_values, junit_xml, longest_values, record_values
from training.gates.parser import load_gates
from training.gates.printing import print_judged
from training.gates.promotion import locate_version
from training.progress import show_progress
from training.validation.printing import print_designs
from training.validation.results import to_plain

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from features.cohort import Cohort
    from models.record import SignedRecord
    from models.registry import Located
    from training.gates.gate import Gates
    from training.gates.judge import Judged
    from training.validation.results import Validation

__all__ = ["ARTIFACTS", "publish", "run_validate"]

ARTIFACTS: Final = "validation"
"""Folder of the version's run that holds what was found."""
_FIGURES, _VERDICTS, _METRICS, _JUNIT = "validation.json", "gates.json", "metrics.json", "junit.xml"
_FILES: Final = (_FIGURES, _VERDICTS, _JUNIT, RECORD_FILE)
_TAG_LENGTH: Final = 5000
"""Characters that a tag of a registered version may have, whatever database is behind the registry."""


def run_validate(
    model: str,
    cohort_path: Path,
    data: str,
    query: str | None = None,
    *,
    gates_path: Path | None = None,
    out: Path,
) -> bool:
    """Validate a version, judge it, write and log what was found, and sign the record.

    Parameters
    ----------
    model : str
        See `models.registry.locate`.
    cohort_path : Path
    data, query : str
        See `features.tables.read_table`.
    gates_path : Path, optional
        Instead of the shipped gates.
    out : Path
        Folder for `validation.json`, `gates.json`, `junit.xml` and `record.json`; made if needed.

    Returns
    -------
    bool
        Whether all gates accept the version. The record is signed in either case: a version that failed is
        known to have failed.

    Raises
    ------
    UserError
        If the gates, the keys, the model, the cohort file, the table or `out` is at fault. No file is written
        then.
    """
    from training.validation.run import validate_version

    gates = load_gates(gates_path)
    check_folder(out)
    located = locate_version(model)
    _check_room(located, gates)
    cohort = load_cohort(load_cohort_file(cohort_path), data, query)
    _check_data(located, cohort, gates)
    key = signing_key()
    distrusted = _distrusted(key)  # found out now, not after the work
    console = Console(width=None if sys.stdout.isatty() else 155)
    console.print(distrusted, style="yellow", highlight=False, markup=False, end="")
    with show_progress(console, "validating") as advance:
        # By number: an alias may move meanwhile.
        validation = validate_version(f"models:/{located.name}/{located.version}", cohort, advance)
    judged = judge(validation, gates)
    print_designs(validation, console)
    print_judged(validation, gates, judged, console)
    record = publish(validation, gates, judged, located, key, out)
    console.print(
        f"Record signed by the key {record.key_id}, stored with version {located.version} of {located.name}.",
        highlight=False,
    )
    console.print(distrusted, style="yellow", highlight=False, markup=False, end="")
    console.print(f"Written: {', '.join(str(out / name) for name in _FILES)}", highlight=False)
    return passed(judged)


def publish(
    validation: Validation,
    gates: Gates,
    judged: tuple[Judged, ...],
    located: Located,
    key: Path,
    out: Path,
) -> SignedRecord:
    """Write what was found, log it to the version's run, and store the signed record with the version.

    Parameters
    ----------
    validation : Validation
    gates : Gates
    judged : tuple of Judged
    located : Located
        That was validated.
    key : Path
        Private key.
    out : Path
        Folder to write to.

    Returns
    -------
    SignedRecord
    """
    client = connect()
    run_id = str(client.get_model_version(located.name, located.version).run_id)
    texts = {
        _FIGURES: json.dumps(to_plain(validation), indent=1) + "\n",
        _VERDICTS: json.dumps(judged_values(validation, gates, judged), indent=1) + "\n",
    }
    signed = {name: text.encode() for name, text in texts.items()} | {_METRICS: _read_metrics(run_id)}
    digests = {SIGNED_FILES[name]: hashlib.sha256(content).hexdigest() for name, content in signed.items()}
    record = sign(record_values(validation, judged, gates, digests), key)
    out.mkdir(parents=True, exist_ok=True)
    for name, text in (texts | {_JUNIT: junit_xml(validation, judged)}).items():
        write_text(text, out / name)
    write_record(record, out)  # for a copy of the files in a folder, beside which it then stands
    _log(client, run_id, located, record, out)
    return record


def _check_room(located: Located, gates: Gates) -> None:
    """Found out now, not after the work: a record is as long as its gates make it."""
    length = len(record_text(longest_values(located.name, located.version, gates)))
    if length > _TAG_LENGTH:
        problem = (
            f"the verdicts of {len(gates.gates)} gates may take {length} characters, and a record has room "
            f"for {_TAG_LENGTH}: use fewer gates, or shorter names"
        )
        raise GatesError(gates.origin, [problem])


def _check_data(located: Located, cohort: Cohort, gates: Gates) -> None:
    """Refuse gates of which none is asked of these data: nothing would vouch for the version."""
    asked = {gate.data for gate in gates.gates}
    if "any" in asked or len(asked) > 1:
        return
    from training.validation.same_patients import is_same_data
    from training.validation.version import read_version

    version = read_version(f"models:/{located.name}/{located.version}")
    kind = "same" if is_same_data(version, cohort) else "other"
    if kind not in asked:
        what = "the data of the fit" if kind == "same" else "other data than those of the fit"
        raise GatesError(
            gates.origin, [f'no gate is asked of {what}: one with data = "{kind}" or "any" is needed']
        )


def _distrusted(key: Path) -> str:
    """Say if nobody here will believe what the key signs; empty if its public half is trusted."""
    own, folder = key_id(read_private(key).public_key()), trusted_keys()
    known = read_trusted(folder)
    if own in known:
        return ""
    return (
        f"Warning: the key {own} that signs is not among the {len(known)} trusted keys in {folder}: promote "
        f"and the service will not believe this record. Set {TRUSTED_KEYS} to a folder with it.\n"
    )


def _read_metrics(run_id: str) -> bytes:
    import mlflow

    path: str = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=_METRICS)
    return Path(path).read_bytes()


def _log(client: MlflowClient, run_id: str, located: Located, record: SignedRecord, out: Path) -> None:
    """The record comes last: it vouches for figures that are there."""
    for name in _FILES:
        client.log_artifact(run_id, str(out / name), ARTIFACTS)
    for field, tag in RECORD_TAGS.items():
        client.set_model_version_tag(located.name, located.version, tag, getattr(record, field))
