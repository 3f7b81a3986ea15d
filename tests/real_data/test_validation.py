"""Each cluster of a real trial held out."""

import numpy as np
import pytest

from features.cohort import load_cohort
from features.cohort_file import load_cohort_file
from tests.real_data.data import HERE, find_table
from tests.training.validation.work import do_work
from training.patients import Patients, make_outer_splits
from training.validation.designs import make_design_jobs, measure_design
from training.validation.held_out import hold_out_groups, hold_out_periods


@pytest.mark.slow
def test_thp_holds_out_each_of_its_forty_clusters() -> None:
    cohort = load_cohort(load_cohort_file(HERE / "thp.toml"), find_table("thp_perinatal_cbt.csv"))
    patients = Patients.from_cohort(cohort)
    held = hold_out_groups(cohort, patients, make_outer_splits(patients, 1))
    assert held is not None
    assert len(held.splits[0]) == len(held.units) == 40
    assert hold_out_periods(cohort, patients) is None  # the file names no date
    table = do_work(make_design_jobs(patients, held, 1, "ridge"))
    found = measure_design(held, patients, table, 1)["response"]
    assert found.patients == sum(unit.patients for unit in found.units) == 818
    # About twenty patients each: hardly a cluster says anything by itself, all of them together do.
    assert sum(bool(unit.metrics) for unit in found.units) < 20
    assert "40 groups by uc" in found.how
    assert "all units together, since only 2 of 40 have at least 10" in found.how
    # Better than the prevalence. Whole clusters were put on one plan: ranking within one cannot use it.
    assert found.metrics["log_loss"].value < 0.64
    assert found.metrics["auroc"].low > 0.5
    assert 0.6 < found.metrics["calibration_slope"].value < 1.4
    for unit in found.units:
        if not unit.metrics:
            assert min(unit.events, unit.patients - unit.events) < 10
    assert np.isfinite([found.metrics["ici"].low, found.metrics["ici"].high]).all()
