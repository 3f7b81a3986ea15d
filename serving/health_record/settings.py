"""Settings of the health record's routes; part of the service's."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

__all__ = ["HealthRecordSettings"]


class HealthRecordSettings(BaseSettings):
    """Part of the service's `Settings`."""

    fhir_mapping: Path | None = Field(
        None,
        description="File that says where a health record holds the predictors (docs/health-record.md); "
        "without it, the one that is shipped for the cohort, if there is one.",
    )
    cds_clients: Path | None = Field(
        None,
        description="File of the health records that may call CDS Hooks services, with their keys; with it, "
        "every call needs a token signed by one of them.",
    )
    cors_origins: str = Field(
        "",
        description="Origins whose pages may call CDS Hooks services from a browser, separated by commas.",
    )

    @property
    def allowed_origins(self) -> tuple[str, ...]:
        """The origins, one by one."""
        return tuple(filter(None, (part.strip() for part in self.cors_origins.split(","))))

    @property
    def left_open(self) -> tuple[str, ...]:
        """Beginnings of paths that authenticate their callers themselves."""
        return () if self.cds_clients is None else ("/cds-services",)

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, listed: str) -> str:
        for origin in filter(None, (part.strip() for part in listed.split(","))):
            parts = urlsplit(origin)
            if parts.scheme not in ("http", "https") or not parts.netloc or origin != _origin(origin):
                raise ValueError("must be origins such as https://ehr.example.org, separated by commas")
        return listed


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"
