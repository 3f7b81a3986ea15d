"""The command `promote`: a version that passed becomes champion, if it was compared with whom it replaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from features.errors import RecordError, RegistryError, UserError
from models.keys import trusted_keys
from models.record import LOCAL, state_champion, verify_record
from models.registry import DIGEST_TAG, connect, load_located, locate, record_of
from training.tracking import promote

if TYPE_CHECKING:
    from models.record import SignedRecord
    from models.registry import Located

__all__ = ["Promoted", "check_promotion", "locate_version", "run_promote"]


class Promoted(NamedTuple):
    """A version that has become champion.

    Parameters
    ----------
    name, version : str
    back_from : str
        Champion that it replaces on the way back; empty on the way forward.
    validated : str
        When its record was signed.
    """

    name: str
    version: str
    back_from: str
    validated: str


class _Champion(NamedTuple):
    """The present champion; its files need not be there, for it may be replaced because they are not."""

    version: str
    digest: str
    record: SignedRecord | None


def run_promote(model: str) -> Promoted:
    """Move `@champion` to a version, if a trusted key vouches that exactly its files passed.

    Parameters
    ----------
    model : str
        See `models.registry.locate`.

    Returns
    -------
    Promoted

    Raises
    ------
    ArtefactError
        If its files are not what was registered.
    RecordError
        As `check_promotion`.
    UserError
        If it is a folder.
    """
    located = locate_version(model)
    load_located(located)
    back_from = check_promotion(located)
    promote(located.name, located.version)
    values = _verify(located.name, located.version, located.digest, located.record)
    return Promoted(located.name, located.version, back_from, str(values.get("time", "unknown")))


def check_promotion(located: Located) -> str:
    """Make sure that a version may become champion as the registry stands now.

    It must have passed its gates, and have been compared with the champion that it replaces; a champion that
    became so by such a comparison may be replaced by its predecessor, which is the way back.

    Parameters
    ----------
    located : Located

    Returns
    -------
    str
        Version of the champion on the way back; empty on the way forward.

    Raises
    ------
    RecordError
        If its record is missing, failed, forged or for other files, or tells of a comparison with another
        champion than the present one.
    RegistryError
        If the registry does not answer.
    """
    values = _verify(located.name, located.version, located.digest, located.record)
    champion = _find_champion(located.name)
    if champion is None or champion.version == located.version:
        return ""
    if values.get("champion") == state_champion(champion.version, champion.digest):
        return ""
    if _predecessor(located.name, champion) == state_champion(located.version, located.digest):
        return champion.version
    raise RecordError(
        f"version {located.version} of {located.name} was compared with {_tell(values.get('champion'))}; "
        f"the champion is now {_tell(state_champion(champion.version, champion.digest))}: validate it again"
    )


def locate_version(model: str) -> Located:
    """Find a registered version; a folder can neither be validated nor become champion.

    Parameters
    ----------
    model : str
        See `models.registry.locate`.

    Returns
    -------
    Located

    Raises
    ------
    UserError
        If it is a folder.
    """
    located = locate(model)
    if located.version == LOCAL:
        raise UserError(
            f"{model} is a folder; write models:/NAME/VERSION: only a registered version can become champion"
        )
    return located


def _find_champion(name: str) -> _Champion | None:
    client = connect()
    try:
        version = client.get_registered_model(name).aliases.get("champion")
        if version is None:
            return None
        tags = client.get_model_version(name, str(version)).tags
    except Exception as exc:  # MLflow raises its own, SQLAlchemy's and requests' errors
        raise RegistryError(f"the registry does not say which version of {name} is champion") from exc
    return _Champion(str(version), tags.get(DIGEST_TAG, ""), record_of(tags))


def _predecessor(name: str, champion: _Champion) -> Any:
    """Whom the champion was compared with; None if nobody, or its record is not to be believed."""
    try:
        return _verify(name, champion.version, champion.digest, champion.record).get("champion")
    except RecordError:
        return None


def _verify(name: str, version: str, digest: str, record: SignedRecord | None) -> dict[str, Any]:
    return verify_record(record, trusted=trusted_keys(), name=name, version=version, digest=digest)


def _tell(stated: Any) -> str:
    if not isinstance(stated, dict):
        return "no champion"
    return f"version {stated.get('version')} (files {str(stated.get('artefact_digest'))[:12]}…)"
