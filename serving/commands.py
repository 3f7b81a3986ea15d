"""The command line of the service."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from features.errors import UserError
from serving.access.commands import keys_app
from serving.records.commands import add_commands as add_record_commands

__all__ = ["app", "main"]

app = typer.Typer(
    help="Serve a response model over HTTP.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


app.add_typer(keys_app, name="keys")


@app.callback()
def service() -> None:
    """Serve a response model over HTTP."""


@app.command()
def run(
    model: Annotated[
        str | None,
        typer.Option("--model", help="models:/NAME@ALIAS, models:/NAME/VERSION or a folder."),
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen on; others than loopback need keys.")
    ] = None,
    port: Annotated[int | None, typer.Option("--port", help="Port to listen on; 0 takes a free one.")] = None,
    workers: Annotated[int | None, typer.Option("--workers", help="Number of worker processes.")] = None,
) -> None:
    """Find the model, load it, and answer until stopped. Other settings come from the environment."""
    from serving.run import run_service
    from serving.settings import load_settings

    run_service(load_settings(model=model, host=host, port=port, workers=workers))


add_record_commands(app)


def main() -> None:
    """Run a command; a user's mistake is one message on stderr and exit code 2."""
    try:
        app()
    except UserError as exc:
        typer.echo(f"error: {exc}", err=True)
        sys.exit(2)
