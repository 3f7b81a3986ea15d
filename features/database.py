"""Read the result of a query from a database."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import sqlalchemy
import sqlalchemy.exc

from features.errors import TableError

__all__ = ["read_query"]


def read_query(address: str, query: str | None) -> tuple[pd.DataFrame, str]:
    """Read the rows that a query selects.

    Parameters
    ----------
    address : str
        An SQLAlchemy URL, such as ``postgresql+psycopg://reader:secret@host/clinic``.
    query : str or None
        An SQL query that gives rows.

    Returns
    -------
    DataFrame
        With the database's types.
    str
        The address without its password, for messages.

    Raises
    ------
    TableError
        If the database cannot be reached or the query fails; its message never holds the password.
    """
    try:
        url = sqlalchemy.make_url(address)
    except (sqlalchemy.exc.ArgumentError, ValueError):
        # `from None`: the library's message repeats the address, password included.
        raise TableError("database", ["the address is not an SQLAlchemy URL"]) from None
    origin = url.set(query={}).render_as_string(hide_password=True)  # options may hold a password too
    if query is None:
        raise TableError(origin, ["a database needs a query that says which rows to read"])
    if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).is_file():
        # Connecting would make an empty file.
        raise TableError(origin, [f"there is no database file {url.database!r}"])
    try:
        engine = sqlalchemy.create_engine(url)
        with engine.connect() as connection:
            return pd.read_sql_query(sqlalchemy.text(query), connection), origin
    except ImportError as exc:
        raise TableError(origin, [f"the database driver {exc.name!r} is not installed"]) from None
    except (sqlalchemy.exc.SQLAlchemyError, OSError) as exc:
        problem = str(getattr(exc, "orig", None) or exc).strip().splitlines()[0]
        if url.password:
            problem = problem.replace(str(url.password), "***")
        raise TableError(origin, [f"the query failed: {problem}"]) from None
