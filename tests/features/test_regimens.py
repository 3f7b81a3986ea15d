import re
from pathlib import Path

import pytest

from features.cohort_file import CohortFile, Regimen, load_cohort_file, parse_cohort_file
from features.dosing import load_dosing
from features.errors import CohortFileError
from features.simulation.parameters import load_population
from tests.features.files import COHORT, make_file

COHORTS = Path(__file__).parents[2] / "features" / "cohorts"

SPRAY = """
[regimens.spray]
drug = "esketamine"
route = "intranasal"
dose = "56 or 84 mg"
amount = 84
first_amount = 56
unit = "mg"
session_days = [0, 3, 7, 10, 14, 17, 21, 24]
review_days = [14, 28]
maintenance = ["weekly", "none"]
"""
INFUSION = """
[regimens.spray]
drug = "racemic_ketamine"
route = "iv"
dose = "0.5 mg/kg over 40 minutes"
amount = 0.5
unit = "mg/kg"
minutes = 40
session_days = [0, 2, 4, 7, 9, 11]
"""
SYRINGE = """
[regimens.spray]
drug = "racemic_ketamine"
route = "subcutaneous"
dose = "0.5 to 0.9 mg/kg"
amount = 0.9
first_amount = 0.5
unit = "mg/kg"
session_days = [0, 3, 7, 10]
"""
PILL = """
[regimens.pill]
drug = "oral_antidepressant"
route = "oral"
dose = "as its label says"
"""


def read(section: str, old: str = "", new: str = "") -> CohortFile:
    assert not old or section.count(old) == 1, f"{old!r} stands {section.count(old)} times in the section"
    return parse_cohort_file(COHORT + (section.replace(old, new) if old else section), "small.toml")


def test_everything_written_is_read() -> None:
    regimens = read(SPRAY + PILL).regimens
    assert regimens["spray"] == Regimen(
        drug="esketamine",
        route="intranasal",
        dose="56 or 84 mg",
        amount=84.0,
        first_amount=56.0,
        unit="mg",
        minutes=None,
        session_days=(0, 3, 7, 10, 14, 17, 21, 24),
        review_days=(14, 28),
        maintenance=("none", "weekly"),  # least frequent first
    )
    assert regimens["pill"] == Regimen("oral_antidepressant", "oral", "as its label says")


def test_regimens_may_be_left_out() -> None:
    assert make_file().regimens == {}


@pytest.mark.parametrize("section", [INFUSION, SYRINGE])
def test_off_label_routes_are_read(section: str) -> None:
    assert read(section).regimens["spray"].drug == "racemic_ketamine"


SPRAY_TRD = r"esketamine nasal spray \(treatment-resistant depression\)"
TOO_MUCH = [
    (
        SPRAY,
        "amount = 84\nf",
        "amount = 112\nf",
        rf"amount: 112 mg is not allowed; allowed for {SPRAY_TRD}: above 0, at most 84 mg",
    ),
    (
        SPRAY,
        "amount = 84\nf",
        "amount = 70\nf",
        rf"amount: 70 mg cannot be given; doses of {SPRAY_TRD}: 28, 56, 84",
    ),
    (
        SPRAY,
        "first_amount = 56",
        "first_amount = 84",
        "first_amount: 84 mg is not allowed at the first session; .* at most 56 mg",
    ),
    (SPRAY, "first_amount = 56\n", "", "first_amount: 84 mg is not allowed at the first session"),
    (SPRAY, "amount = 84\nf", "amount = 28\nf", "first_amount: must not be above amount"),
    (SPRAY, "amount = 84\nf", "amount = 0\nf", "amount: 0 mg is not allowed"),
    (
        SPRAY,
        "[0, 3, 7, 10,",
        "[0, 3, 5, 10,",
        "session_days: 3 sessions in the 7 days up to day 5; allowed for .*: 2",
    ),
    (
        SPRAY,
        "21, 24]",
        "21, 28]",
        "session_days: day 28 is not in the induction; .* days 0 to 27, later sessions are maintenance",
    ),
    (SPRAY, "21, 24]", "24, 28]", "session_days: 2 sessions in the 7 days up to day 28; allowed for .*: 1"),
    (SPRAY, "21, 24]", "21, 24, 27]", "session_days: 9 sessions; allowed in the induction .*: at most 8"),
    (SPRAY, "[14, 28]", "[14, 35]", "review_days: a review is needed from day 24, .* to day 28"),
    (SPRAY, "review_days = [14, 28]\n", "", "review_days: a review is needed from day 24"),
    (INFUSION, "amount = 0.5", "amount = 1.1", "amount: 1.1 mg/kg is not allowed; .* at most 1 mg/kg"),
    (INFUSION, "minutes = 40", "minutes = 30", "minutes: at least 40 minutes are needed"),
    (INFUSION, "minutes = 40\n", "", "minutes: at least 40 minutes are needed"),
    (
        INFUSION,
        "[0, 2, 4, 7",
        "[0, 2, 4, 6, 7",
        "session_days: 4 sessions in the 7 days up to day 6; allowed for .*: 3",
    ),
    (
        INFUSION,
        "9, 11]",
        "9, 11, 14, 16, 18]",
        "session_days: 9 sessions; allowed in the induction .*: at most 8",
    ),
    (SYRINGE, "first_amount = 0.5\n", "", "first_amount: 0.9 mg/kg is not allowed at the first session"),
    (SYRINGE, "[0, 3, 7, 10]", "[0, 3, 5, 10]", "session_days: 3 sessions in the 7 days up to day 5"),
]


@pytest.mark.parametrize(("section", "old", "new", "problem"), TOO_MUCH)
def test_a_regimen_above_the_limits_is_refused(section: str, old: str, new: str, problem: str) -> None:
    with pytest.raises(CohortFileError, match=rf"\[regimens\.spray\] {problem}"):
        read(section, old, new)


WRONG = [
    (SPRAY, '"esketamine"', '"eskatamine"', r"drug: 'eskatamine' is not known; did you mean 'esketamine'\?"),
    (SPRAY, '"intranasal"', '"iv"', "route: 'iv' is not known; allowed: intranasal"),
    (SPRAY, 'drug = "esketamine"\n', "", "drug: is missing"),
    (SPRAY, 'dose = "56 or 84 mg"\n', "", "dose: is missing"),
    (SPRAY, 'unit = "mg"', 'unit = "mg/kg"', "unit: must be 'mg'"),
    (SPRAY, "amount = 84\nf", "f", "amount: is missing; at most 84 mg"),
    (SPRAY, "amount = 84\nf", 'amount = "84"\nf', "amount: must be a number, got '84'"),
    (SPRAY, 'unit = "mg"', 'unit = "mg"\nminutes = 40', "minutes: has no meaning for"),
    (SPRAY, 'unit = "mg"', 'unit = "mg"\nunits = "mg"', "unknown key 'units'; did you mean 'unit'"),
    (SPRAY, "[0, 3, 7,", "[1, 3, 7,", "session_days: must start with 0, the day of the first session, got 1"),
    (SPRAY, "[0, 3, 7,", "[0, 3, 3,", "session_days: must be ascending, each day once"),
    (SPRAY, "[0, 3, 7,", "[0, 7, 3,", "session_days: must be ascending, each day once"),
    (SPRAY, "[0, 3, 7,", "[0, true, 7,", "session_days: must be a list of whole numbers from 0 to 364"),
    (SPRAY, "[0, 3, 7,", "[0, 3.5, 7,", "session_days: must be a list of whole numbers"),
    (SPRAY, "[14, 28]", "[-1, 28]", "review_days: must be a list of whole numbers"),
    (SPRAY, "[14, 28]", "28", "review_days: must be a list of whole numbers"),
    (
        SPRAY,
        "session_days = [0, 3, 7, 10, 14, 17, 21, 24]\n",
        "",
        "session_days: is missing; .* is given in sessions",
    ),
    (
        SPRAY,
        '["weekly", "none"]',
        '["daily"]',
        "maintenance: must be a list of some of: none, every_4_weeks, every_2_weeks, weekly",
    ),
    (SPRAY, '["weekly", "none"]', '"weekly"', "maintenance: must be a list"),
    (PILL, "dose =", "session_days = [0]\ndose =", "session_days: has no meaning for an oral antidepressant"),
    (PILL, "dose =", 'maintenance = ["weekly"]\ndose =', "maintenance: has no meaning"),
    (PILL, "dose =", "amount = 20\ndose =", "amount: has no meaning for an oral antidepressant"),
]


@pytest.mark.parametrize(("section", "old", "new", "problem"), WRONG)
def test_a_wrong_regimen_is_refused(section: str, old: str, new: str, problem: str) -> None:
    with pytest.raises(CohortFileError, match=rf"\[regimens\.\w+\] {problem}"):
        read(section, old, new)


def test_a_regimen_of_no_plan_is_refused() -> None:
    with pytest.raises(CohortFileError, match=r"\[regimens\.tea\]: 'tea' is not a plan of \[plan\.levels\]"):
        read(PILL, "regimens.pill", "regimens.tea")


def test_all_problems_of_all_regimens_are_listed() -> None:
    with pytest.raises(CohortFileError, match="3 problems") as caught:
        read(
            SPRAY.replace("amount = 84\nf", "amount = 112\nf").replace("[14, 28]", "[35]") + PILL,
            'oral"\n',
            'oral"\nminutes = 3\n',
        )
    assert [p.split(":")[0] for p in caught.value.problems] == [
        "[regimens.spray] amount",
        "[regimens.spray] review_days",
        "[regimens.pill] minutes",
    ]


@pytest.mark.parametrize(("name", "population"), [("ketamine_trd", "trd"), ("ketamine_anxiety", "anxiety")])
def test_the_shipped_regimens_are_those_of_the_simulation(name: str, population: str) -> None:
    cohort_file = load_cohort_file(COHORTS / f"{name}.toml")
    plans = {plan.name: plan for plan in load_population(population).plans}
    assert tuple(cohort_file.regimens) == cohort_file.plan_levels == tuple(plans)
    routes = {"iv": "iv", "intranasal": "in", "oral": "oral"}
    for plan, regimen in cohort_file.regimens.items():
        assert regimen.session_days == tuple(plans[plan].session_days)
        assert routes[regimen.route] == plans[plan].route


def test_every_session_has_the_duties_of_the_label() -> None:
    for routes in load_dosing().values():
        for limits in routes.values():
            assert limits.source.endswith(".")
            duties = " ".join(duty.text for duty in limits.duties)
            assert all(duty.source for duty in limits.duties)
            assert {duty.when for duty in limits.duties} <= {"before", "during", "after"}
            if limits.unit is None:
                assert limits.duties == ()
                continue
            for phrase in (
                "140/90",
                "about 40 minutes",
                "until it is stable",
                "at least 2 hours",
                "No driving",
                "next day",
            ):
                assert phrase in duties
            assert "pulse oximetry" in duties or "oxygen saturation" in duties


def test_the_page_shows_a_regimen_that_is_accepted_and_the_limits_as_they_are() -> None:
    page = (COHORTS.parents[1] / "docs" / "cohort-files.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(\[regimens.*?)```", page, flags=re.DOTALL)
    assert read(example).regimens["spray"].session_days[-1] == 24
    for drug, routes in load_dosing().items():
        assert f"`{drug}` by " in page
        for route, limits in routes.items():
            if limits.unit is None:
                continue
            (row,) = re.findall(rf"^\| `{drug}`, `{route}`[^|]*\| (.*) \|$", page, flags=re.MULTILINE)
            largest, first, induction, early, later = row.split(" | ")
            assert largest.startswith(f"{limits.largest:g} {limits.unit}")
            assert first == f"{limits.first:g} {limits.unit}"
            assert induction == f"{limits.induction_sessions} sessions"
            assert (int(early.split()[0]), int(later.split()[0])) == (
                limits.weekly_in_induction,
                limits.weekly_after,
            )
