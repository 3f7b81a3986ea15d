"""`python -m serving keys …`: make, list and revoke API keys."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from serving.access.key_file import ApiKey, KeyFile

__all__ = ["keys_app"]

keys_app = typer.Typer(
    help="API keys: hashed in a file, with roles and an end.", no_args_is_help=True, add_completion=False
)

_FILE: Final = typer.Option(
    "--file", help="File of keys; by default the setting TREATMENT_RESPONSE_API_KEYS."
)
File = Annotated[Path | None, _FILE]


@keys_app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Whose key it is, such as `ward 3`; no secret, no patient.")],
    role: Annotated[list[str], typer.Option("--role", help="clinician, data-scientist or ci; repeated.")],
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", help="Only this of what the role may: read, predict, outcomes, metrics."),
    ] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="Until it expires.")] = 90,
    file: File = None,
) -> None:
    """Make a key. It is printed once, on stdout, and kept nowhere."""
    from serving.access.api_keys import add_key

    key, secret = add_key(_key_file(file), name, role, days, scope or ())
    typer.echo(f"key {key.id} of {key.name}: {', '.join(key.roles)}, until {_day(key.expires)}", err=True)
    typer.echo(secret)


@keys_app.command("list")
def list_keys(file: File = None) -> None:
    """List the keys; none of them can be read back."""
    for key in _key_file(file).read().values():
        scopes = " ".join(key.scopes)
        line = f"{key.id}  {_state(key)}  {_day(key.expires)}  {' '.join(key.roles)}  ({scopes})  {key.name}"
        typer.echo(line)


@keys_app.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `keys list` shows it.")], file: File = None
) -> None:
    """Revoke a key, at once and for good; its sessions end too."""
    from serving.access.api_keys import revoke_key

    key = revoke_key(_key_file(file), key_id)
    typer.echo(f"key {key.id} of {key.name} is revoked")


def _key_file(file: Path | None) -> KeyFile:
    from serving.access.errors import AccessError
    from serving.access.key_file import KeyFile
    from serving.settings import load_settings

    path = file if file is not None else load_settings().api_keys
    if path is None:
        raise AccessError("say which file holds the keys: --file, or TREATMENT_RESPONSE_API_KEYS")
    return KeyFile(path)


def _state(key: ApiKey) -> str:
    if key.revoked is not None:
        return "revoked"
    return "valid  " if key.problem(time.time()) is None else "expired"


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
