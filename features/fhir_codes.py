"""Codes of terminologies, as a FHIR mapping writes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FhirCode", "parse_code"]


@dataclass(frozen=True, slots=True)
class FhirCode:
    """A code, or all codes that begin alike.

    Parameters
    ----------
    system : str
        Address of the terminology.
    code : str
    prefix : bool
        Whether any code that begins with it is meant: of terminologies whose codes are built that way, such
        as ICD-10 and ATC.
    """

    system: str
    code: str
    prefix: bool = False

    @property
    def full(self) -> str:
        """System and code, as FHIR writes a token.

        Examples
        --------
        >>> FhirCode("http://loinc.org", "44261-6").full
        'http://loinc.org|44261-6'
        """
        return f"{self.system}|{self.code}"

    def covers(self, system: object, code: object) -> bool:
        """Whether a coding is meant.

        Examples
        --------
        >>> FhirCode("http://www.whocc.no/atc", "N06A", True).covers("http://www.whocc.no/atc", "N06AB06")
        True
        """
        if system != self.system or not isinstance(code, str):
            return False
        return code.startswith(self.code) if self.prefix else code == self.code


def parse_code(written: str, systems: Mapping[str, str]) -> FhirCode | None:
    """Read a code such as ``loinc|44261-6``, or ``icd10|E11*`` for all that begin so.

    Parameters
    ----------
    written : str
    systems : mapping of str to str
        Addresses by the short name before the bar.

    Returns
    -------
    FhirCode or None
        None if it is not written so, or the short name is not known.

    Examples
    --------
    >>> parse_code("atc|N06A*", {"atc": "http://www.whocc.no/atc"})
    FhirCode(system='http://www.whocc.no/atc', code='N06A', prefix=True)
    """
    system, bar, code = written.partition("|")
    prefix = code.endswith("*")
    code = code.removesuffix("*")
    if not bar or not code or "*" in code or system not in systems:
        return None
    return FhirCode(systems[system], code, prefix)
