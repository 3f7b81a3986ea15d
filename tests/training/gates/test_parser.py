"""`gates.toml`: what is shipped is explained, and every mistake is named at once."""

import re
from pathlib import Path

import pytest

from features.errors import GatesError
from tests.house.repository import ROOT
from training.gates.gate import CHECKS
from training.gates.parser import load_gates, parse_gates
from training.gates.senses import SENSES
from training.metrics import METRICS
from training.validation.units import SUMMARISED

SKILL = """
format = 1
[gates.skill]
metric = "brier_skill"
at_least = 0.0
judged_on = "lower"
for = "all"
"""


def test_every_shipped_gate_is_explained_with_a_reason_or_a_source() -> None:
    for gate in load_gates().gates:
        assert len(gate.why) > 40, gate.name
        assert "not explained" not in gate.why


def test_what_must_be_gated_is_gated() -> None:
    asked = {(gate.metric, gate.population) for gate in load_gates().gates}
    assert asked >= {
        ("brier_skill", "all"),
        ("calibration_slope", "all"),
        ("ici", "all"),
        ("net_benefit_gain", "all"),
        ("auroc", "subgroups"),
        ("auroc", "new_unit"),
        ("brier", "champion"),
        ("coverage", "all"),
        *((name, "check") for name in CHECKS),
    }
    # Nothing that is asked of all patients is excused for want of data, or of a measurement: but for
    # remission, which is too rare to show skill in most cohorts.
    excused = [
        gate.name
        for gate in load_gates().gates
        if gate.population in ("all", "check") and (gate.too_little_passes or gate.absent_passes)
    ]
    assert excused == ["skill_remission"]


def test_every_shipped_gate_stands_in_the_docs_with_its_bound() -> None:
    page = (ROOT / "docs" / "validation.md").read_text(encoding="utf-8")
    for gate in load_gates().gates:
        row = re.search(rf"^\| `{gate.name}` \|(.*)$", page, re.MULTILINE)
        assert row, gate.name
        assert gate.population == "check" or f"{gate.value:g}" in row.group(1), gate.name


def test_a_gate_is_read_with_its_defaults() -> None:
    (gate,) = parse_gates(SKILL).gates
    assert gate.outcomes == ("response", "remission")
    assert (gate.minimum_events, gate.too_little_passes, gate.absent_passes) == (0, False, False)


def test_two_texts_have_two_digests() -> None:
    assert parse_gates(SKILL).digest == parse_gates(SKILL).digest
    assert parse_gates(SKILL).digest != parse_gates(SKILL.replace("0.0", "0.1")).digest


MISTAKES = {
    "an unknown metric": ('metric = "brier_skill"', 'metric = "brier_skil"', r"did you mean 'brier_skill'\?"),
    "a missing metric": ('metric = "brier_skill"', "", "metric: is missing"),
    "an unknown end": ('"lower"', '"low"', "judged_on: 'low' is not known; allowed: lower, estimate, upper"),
    "an unknown population": (
        '"all"',
        '"everybody"',
        "for: 'everybody' is not known; allowed: all, subgroups",
    ),
    "two bounds": ("at_least = 0.0", "at_least = 0.0\nat_most = 1", "exactly one bound is needed"),
    "no bound": ("at_least = 0.0", "", "exactly one bound is needed"),
    "a bound in words": ("at_least = 0.0", 'at_least = "none"', "at_least: must be a number"),
    "an unknown key": ("at_least = 0.0", "at_leest = 0.0", "unknown key 'at_leest'; did you mean 'at_least'"),
    "an unknown outcome": ("at_least", 'outcomes = ["relapse"]\nat_least', "'relapse' is not known; allowed"),
    "no outcome": ("at_least", "outcomes = []\nat_least", "outcomes: at least one is needed"),
    "half an event": ("at_least", "minimum_events = 1.5\nat_least", "must be a whole number, 0 or more"),
    "too little is a word": (
        "at_least",
        'too_little = "ok"\nat_least',
        "'ok' is not known; allowed: fail, pass",
    ),
    "unknown data": ("at_least", 'data = "new"\nat_least', "'new' is not known; allowed: any, same, other"),
    "a gain that must be low": (
        'metric = "brier_skill"\nat_least',
        'metric = "net_benefit_gain"\nat_most',
        "is good when it is high",
    ),
    "a skill that must be low": (
        "at_least",
        "at_most",
        "brier_skill is good when it is high: write at_least",
    ),
    "an error that must be high": ('"brier_skill"', '"brier"', "brier is good when it is low: write at_most"),
    "a coverage that must be low": (
        'metric = "brier_skill"\nat_least',
        'metric = "coverage"\nat_most',
        "coverage is good when it is high",
    ),
    "what every model reaches": (
        '"brier_skill"\nat_least = 0.0',
        '"auroc"\nat_least = -5',
        "at_least: auroc is from 0 to 1, and -5 is not",
    ),
    "what no model reaches": ("= 0.0", "= 1.5", "brier_skill is 1 or less, and 1.5 is not"),
    "a difference beyond all": (
        'metric = "brier_skill"\nat_least = 0.0\njudged_on = "lower"\nfor = "all"',
        'metric = "brier"\nat_most = 2\njudged_on = "upper"\nfor = "champion"',
        "a difference of brier is from -1 to 1, and 2 is not",
    ),
    "a name with markup": (
        "[gates.skill]",
        '[gates."[bold]"]',
        r"\[gates\.'\[bold\]'\]: a gate's name is of letters A to Z, digits, _ and -",
    ),
    "a name that XML cannot hold": (
        "[gates.skill]",
        '[gates."a\\u0001"]',
        r"gates\.'a\\x01'\]: a gate's name",
    ),
    "no name": ("[gates.skill]", '[gates.""]', "a gate's name is of"),
    "a number beyond all": (
        "= 0.0",
        f"= 1{'0' * 400}",
        "must be a number, got a number of hundreds of digits",
    ),
    "a number that is not even read": ("= 0.0", f"= 1{'0' * 5000}", "is not TOML: Exceeds the limit"),
    "brackets without end": ("= 0.0", f"= {'[' * 3000}", "is not TOML"),
    "another format": ("format = 1", "format = 2", "format: must be 1"),
    "no format": ("format = 1", "", "format: is missing"),
    "no gate": (SKILL.removeprefix("\nformat = 1"), "", r"at least one \[gates\.NAME\] is needed"),
    "no TOML": ("format = 1", "format is 1", "is not TOML"),
}


@pytest.mark.parametrize(("old", "new", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_with_what_is_allowed(old: str, new: str, said: str) -> None:
    assert old in SKILL
    with pytest.raises(GatesError, match=said):
        parse_gates(SKILL.replace(old, new))


@pytest.mark.parametrize("metric", sorted(set(METRICS) - set(SUMMARISED)))
def test_what_no_unit_measures_cannot_be_asked_of_a_new_unit(metric: str) -> None:
    # It would never be found: with `too_little = "pass"` such a gate would stop nobody.
    text = SKILL.replace("brier_skill", metric).replace('"all"', '"new_unit"\ntoo_little = "pass"')
    allowed = "auroc, brier_skill, calibration_intercept, calibration_slope, o_e"
    said = f"metric: '{metric}' is not measured for = \"new_unit\"; allowed: {allowed}"
    with pytest.raises(GatesError, match=re.escape(said)):
        parse_gates(text)
    for measured in SUMMARISED:
        parse_gates(text.replace(metric, measured))


def test_every_figure_has_a_direction_and_a_range() -> None:
    assert set(SENSES) == {*METRICS, "net_benefit_gain", "coverage"}
    # Bounds that figures keep, of either sense.
    parse_gates(
        SKILL.replace('"brier_skill"', '"calibration_slope"').replace("at_least = 0.0", "at_most = 1.4")
    )
    parse_gates(SKILL.replace('"brier_skill"', '"calibration_slope"').replace("= 0.0", "= -3.5"))
    parse_gates(SKILL.replace("= 0.0", "= -0.05"))


def test_all_mistakes_are_named_at_once() -> None:
    text = SKILL.replace('"lower"', '"low"').replace("at_least = 0.0", "").replace("= 1", "= 9")
    with pytest.raises(
        GatesError, match=r"(?s)gates\.toml: 3 problems.*format.*exactly one bound.*judged_on"
    ):
        parse_gates(text)


def test_a_check_takes_no_bound() -> None:
    text = 'format = 1\n[gates.files]\nmetric = "digest"\nfor = "check"\n'
    assert parse_gates(text).gates[0].describe() == "holds"
    with pytest.raises(GatesError, match="unknown key 'at_least'"):
        parse_gates(text + "at_least = 1\n")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(GatesError, match=r"absent\.toml: cannot be read: FileNotFoundError"):
        load_gates(tmp_path / "absent.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(GatesError, match=r"bytes\.toml: cannot be read: UnicodeDecodeError"):
        load_gates(tmp_path / "bytes.toml")
