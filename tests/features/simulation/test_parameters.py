from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from features.simulation import simulate
from features.simulation.parameters import POPULATIONS, SETTINGS, load_parameters, load_terms


def _walk(path: str, value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each table that holds a value of its own (inline tables of effects and slopes belong to it)."""
    if isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _walk(f"{path}[{index}]", entry)
    elif isinstance(value, Mapping):
        if any(not isinstance(v, Mapping) for v in value.values()):
            yield path, value
        for key, entry in value.items():
            if isinstance(entry, Mapping) and key not in {"effects", "slopes"}:
                yield from _walk(f"{path}.{key}", entry)


def test_every_value_has_a_mark_and_a_source() -> None:
    tables = [entry for key, value in load_parameters().items() for entry in _walk(key, value)]
    assert len(tables) > 100  # the walk does find the tables
    for path, table in tables:
        assert table.get("mark") in {"V", "M", "D", "A"}, path
        assert len(table.get("source", "")) > 5, path


@pytest.mark.parametrize("section", ["terms", "relapse_terms", "choice_terms"])
def test_terms_use_known_kinds_and_simulated_columns(section: str) -> None:
    columns = {*simulate(5, seed=0).complete.columns, "residual"}
    for term in load_terms(section):
        assert term.kind in {"linear", "log2", "at_least", "above", "level"}
        assert term.column in columns


def test_all_populations_and_settings_of_the_file_can_be_asked_for() -> None:
    assert set(POPULATIONS) == set(load_parameters()["populations"])
    assert set(SETTINGS) == set(load_parameters()["settings"])


def test_plan_shares_add_up_to_one() -> None:
    for population in load_parameters()["populations"].values():
        if "plans" in population:
            assert sum(plan["share"] for plan in population["plans"].values()) == pytest.approx(1)
