"""Forests of sites and periods."""

from tests.training.report.validations import make_validation
from training.report.view_spread import show_units


def test_sites_stand_in_the_order_of_their_numbers() -> None:
    found = make_validation()["outcomes"]["response"]
    design = found["designs"][1]
    assert design["key"] == "leave_group_out"
    names = ["10", "9", "ward", "site_12", "1", "site_2"]
    measured = {"metrics": {"auroc": {"value": 0.6, "low": 0.5, "high": 0.7}}}
    design["units"] = [design["units"][0] | measured | {"name": name} for name in names]
    drawn = str(show_units("response", {**found, "designs": [design]})[0].drawing)
    wanted = ["1", "9", "10", "site_2", "site_12", "ward"]
    places = [drawn.index(f">{name}<") for name in wanted]
    assert places == sorted(places)
