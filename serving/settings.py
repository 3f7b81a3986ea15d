"""What an operator can set: environment variables that begin with TREATMENT_RESPONSE_."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, ValidationError
from pydantic_settings import SettingsConfigDict

from features.errors import UserError
from models.keys import SIGNING_KEY
from serving.access.settings import AccessSettings
from serving.health_record.settings import HealthRecordSettings
from serving.page.settings import PageSettings
from serving.records.settings import RecordsSettings

__all__ = ["PREFIX", "Settings", "SettingsError", "load_settings"]

PREFIX: Final = "TREATMENT_RESPONSE_"


class SettingsError(UserError):
    """A setting that is unknown, unreadable or unsafe."""


class Settings(AccessSettings, RecordsSettings, HealthRecordSettings, PageSettings):
    """Settings of the service; the command line's options come before the environment."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    model: str = Field(
        "models:/ketamine-trd@champion",
        min_length=1,
        description="Model to serve: models:/NAME@ALIAS, models:/NAME/VERSION, or a folder.",
    )
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    workers: int = Field(1, ge=1, le=64, description="Number of worker processes; each holds the model.")
    trusted_keys: Path = Field(
        Path(".mlflow/keys"),
        description="Folder of public keys (*.pub): what none of them vouches for is not served.",
    )
    reload_seconds: int = Field(
        30,
        ge=0,
        le=86_400,
        description="How often the registry is asked whether the alias has moved; 0 asks at start only.",
    )
    body_limit: int = Field(
        262_144, ge=1024, le=16_777_216, description="Largest request body, in bytes; a larger one gets 413."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least level that is logged; `info` writes one line for each request."
    )


def load_settings(**options: Any) -> Settings:
    """Read the settings from the environment.

    Parameters
    ----------
    **options
        What the command line gives; None is not given.

    Returns
    -------
    Settings

    Raises
    ------
    SettingsError
        With every setting that is unknown, unreadable or unsafe.
    """
    problems = [_unknown(name) for name in sorted(os.environ) if _is_unknown(name)]
    settings: Settings | None = None
    try:
        settings = Settings(**{name: value for name, value in options.items() if value is not None})
    except ValidationError as exc:
        problems += [_refused(error["loc"], error["msg"]) for error in exc.errors(include_url=False)]
    if settings is None or problems:
        raise SettingsError("settings: " + "; ".join(problems))
    return settings


def _is_unknown(variable: str) -> bool:
    if variable == SIGNING_KEY:  # training's, and none of the service's business
        return False
    return variable.startswith(PREFIX) and variable.removeprefix(PREFIX).lower() not in Settings.model_fields


def _unknown(variable: str) -> str:
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    return f"{variable} is not a setting; the nearest is {get_close_matches(variable, known, 1, 0)[0]}"


def _refused(where: tuple[int | str, ...], message: str) -> str:
    if not where:  # about several together; the message names them
        return message.removeprefix("Value error, ")
    name = str(where[0])
    return f"{name} ({PREFIX}{name.upper()}): {message.removeprefix('Value error, ')}"
