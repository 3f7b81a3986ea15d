"""The figure of relapse-free curves."""

from __future__ import annotations

from tests.training.durability.fitting import fitted
from training.durability.figure import durability_figure


def test_the_figure_shows_a_panel_for_each_maintenance() -> None:
    _, model, report = fitted()
    figure = durability_figure(model, report, "Small")
    titles = [axes.get_title("left") for axes in figure.axes]
    assert [title.split("\n")[0] for title in titles] == [
        "No maintenance",
        "Every 4 weeks",
        "Every 2 weeks",
        "Weekly",
    ]
    relapses = [count[1] for count in report.counts.values()]
    assert all(f"{count} relapses" in title for count, title in zip(relapses, titles, strict=True))
