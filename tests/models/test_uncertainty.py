"""The interval: what the coefficients, a missing input and another candidate leave open."""

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from features.cohort import make_cohort
from features.cohort_file import CohortFile, load_cohort_file
from features.encoder import BLOCKS
from features.preprocessing import EncodePredictors
from features.simulation import simulate
from models.calibration import Recalibration
from models.conformal import ConformalBounds
from models.inputs import Inputs, TrainingSet
from models.posterior import Posterior, fit_posterior
from models.response_model import Choice, OutcomeModel, fit_outcome
from models.scores import linear_score
from models.uncertainty import Uncertainty, fit_uncertainty, prior_of_blocks
from tests.models.small import (
    FILE,
    dense_design,
    fresh_rows,
    make_set,
    make_trial,
    small_cohort,
    training_set,
)


def ridge_model(train: TrainingSet) -> OutcomeModel:
    choice = Choice("ridge", {"ridge": {}}, Recalibration(), ConformalBounds(0.5, 0.5))
    return fit_outcome(train, choice, seed=0)


@cache
def small_ridge() -> OutcomeModel:
    return ridge_model(training_set())


def widths(model: OutcomeModel, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    _, low, high = model.predict(Inputs(training_set().inputs.encoder, rows))
    width: NDArray[np.float64] = high - low
    return width


@pytest.mark.parametrize("left_out", [p.name for p in FILE.baseline_predictors])
def test_leaving_an_input_out_never_makes_the_interval_narrower_on_average(left_out: str) -> None:
    model, complete = small_ridge(), fresh_rows(500, 6, gaps=False)
    without = complete.copy()
    without[:, [p.name for p in FILE.baseline_predictors].index(left_out)] = np.nan
    before, after = widths(model, complete), widths(model, without)
    assert np.isfinite(after).all()
    # Not knowing is less than knowing: this is what the interval promises.
    assert after.mean() > before.mean()


def test_leaving_more_out_widens_more_and_leaving_all_out_is_still_a_number() -> None:
    model, rows = small_ridge(), fresh_rows(500, 6, gaps=False)
    means = [widths(model, rows).mean()]
    for column in (5, 1, 0, 2):
        rows[:, column] = np.nan
        means.append(widths(model, rows).mean())
    assert means == sorted(means)
    rows[:, :-1] = np.nan
    last = widths(model, rows)
    assert np.isfinite(last).all()
    assert last.mean() > 1.2 * means[0]


def test_an_input_missing_only_now_widens_as_well() -> None:
    # The baseline score is never missing in training, so it has no indicator: its absence is new.
    encoder = training_set().inputs.encoder
    column = [p.name for p in FILE.baseline_predictors].index("madrs_start")
    assert column not in encoder.indicator_sources_
    rows = fresh_rows(500, 6, gaps=False)
    without = rows.copy()
    without[:, column] = np.nan
    assert widths(small_ridge(), without).mean() > widths(small_ridge(), rows).mean()


def fit_written_out(
    design: NDArray[np.float64], blocks: NDArray[np.intp], y: NDArray[np.float64]
) -> Posterior:
    """The posterior from the whole matrix, without its structure by plan and group."""
    used, compact = np.unique(blocks, return_inverse=True)
    names = [(*BLOCKS, "group")[block] for block in used[1:]]
    return fit_posterior(dense_design(design), y, compact - 1, *prior_of_blocks(names))


def write_out(train: TrainingSet) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Whole design with a column for each group, and the block of each column."""
    design, blocks = train.design, train.inputs.encoder.blocks_
    if train.groups is None:
        return design, blocks
    membership = np.eye(int(train.groups.max()) + 1)[train.groups]
    return np.hstack([design, membership]), np.append(blocks, np.full(membership.shape[1], len(BLOCKS)))


@pytest.mark.parametrize("groups", [False, True])
def test_variance_of_complete_rows_is_the_quadratic_form_of_the_whole_design(groups: bool) -> None:
    train = training_set(groups=groups)
    encoder, model = train.inputs.encoder, fit_uncertainty(train)
    posterior = fit_written_out(*write_out(train), train.y)
    # Zeger, Liang and Albert (1988), eq. 2.6: a logit averaged over N(0, s^2) shrinks by the root of
    # 1 + 0.346 s^2.
    shrink = 1 / np.sqrt(1 + 0.346 * posterior.scales[-1] ** 2) if groups else 1.0
    rows = fresh_rows(100, 9, gaps=False)
    inputs, whole = Inputs(encoder, rows), encoder.design(rows)
    sigma = posterior.covariance[: whole.shape[1], : whole.shape[1]] * shrink**2
    mean = posterior.mean[: whole.shape[1]] * shrink
    centre = model.centre.logit(inputs)
    np.testing.assert_allclose(centre, whole @ mean, rtol=1e-4, atol=1e-4)
    # T Sigma T', row by row, without folding anything.
    np.testing.assert_allclose(
        model.variance(inputs), np.einsum("ij,jk,ik->i", whole, sigma, whole), rtol=1e-3
    )


def test_folded_covariance_is_that_of_the_sums_of_weights() -> None:
    train = training_set()
    encoder, model = train.inputs.encoder, fit_uncertainty(train)
    posterior = fit_written_out(*write_out(train), train.y)
    size = 1 + len(encoder.sources_)
    for plan in range(2):
        fold = np.zeros((size, len(encoder.blocks_)))
        fold[:, :size] = np.eye(size)
        for own in encoder.plan_columns(plan):
            fold[np.arange(len(own)), own] += 1
        np.testing.assert_allclose(model.covariance[plan], fold @ posterior.covariance @ fold.T, atol=1e-10)


def test_variance_of_a_missing_input_is_what_its_values_would_spread() -> None:
    """Against brute force: weights from the posterior, values from the training patients."""
    rows = small_cohort(gaps=False).rows
    y = small_cohort(gaps=False).response
    train = make_set(FILE, rows, y)
    encoder, model = train.inputs.encoder, fit_uncertainty(train)
    rng = np.random.default_rng(4)
    base = train.inputs.base
    for plan in range(2):
        weights = rng.multivariate_normal(model.centre.weights[plan], model.covariance[plan], 4000)
        for j in range(encoder.n_predictors_):
            columns = np.flatnonzero(encoder.sources_ == j)
            effects = weights[:, 1 + columns] @ base[:, columns].T  # draws x patients
            # Base columns are centred, so the mean square over patients and draws is the variance added.
            assert np.mean(effects**2) == pytest.approx(model.missing[plan, j], rel=0.05)


def test_variance_of_one_patient_is_that_in_the_batch() -> None:
    model, rows = fit_uncertainty(training_set()), fresh_rows(60)
    encoder = training_set().inputs.encoder
    whole = model.variance(Inputs(encoder, rows))
    single = [float(model.variance(Inputs(encoder, rows[i : i + 1]))[0]) for i in range(60)]
    np.testing.assert_allclose(single, whole, rtol=1e-12)


def test_more_patients_make_narrower_intervals() -> None:
    rows = fresh_rows(300, 6, gaps=False)
    means = []
    for patients in (150, 600, 2400):
        train = training_set(patients, gaps=False)
        _, low, high = ridge_model(train).predict(Inputs(train.inputs.encoder, rows))
        means.append(float((high - low).mean()))
    assert means == sorted(means, reverse=True)
    assert means[2] < 0.6 * means[0]


def test_interval_covers_the_true_probability_of_effects_as_published_ones_are() -> None:
    shares = []
    for seed in range(5):
        learned_from = make_cohort(FILE, make_trial(600, 100 + seed, gaps=False, signal=0.5).table)
        train = make_set(FILE, learned_from.rows, learned_from.response)
        fresh = make_trial(1000, 900 + seed, gaps=False, signal=0.5)
        rows = make_cohort(FILE, fresh.table).rows
        _, low, high = ridge_model(train).predict(Inputs(train.inputs.encoder, rows))
        shares.append(float(((low <= fresh.truth) & (fresh.truth <= high)).mean()))
    # Level 0.9; the mean of five cohorts has a standard error of about 0.02.
    assert 0.84 < np.mean(shares) < 0.97


def shipped(name: str) -> CohortFile:
    from pathlib import Path

    import features

    return load_cohort_file(Path(features.__file__).parent / "cohorts" / f"{name}.toml")


@cache
def coverage(seed: int) -> tuple[float, float, float, float]:
    """Share covered and mean width on fresh simulated patients, for complete and for missing inputs."""
    file = shipped("ketamine_trd")
    cohort = make_cohort(file, simulate(2000, seed).table)
    known = ~np.isnan(cohort.response)
    rows, y = cohort.rows[known], cohort.response[known]
    assert cohort.groups is not None
    encoder = EncodePredictors(file).fit(rows)
    model = ridge_model(TrainingSet(Inputs(encoder, rows), y, cohort.groups[known]))
    fresh = simulate(3000, seed + 50)
    result: list[float] = []
    for table in (fresh.complete, fresh.table):
        # Everybody is kept, so that the rows stay in the order of the truth.
        patients = make_cohort(file, table)
        assert patients.flow.included == 3000
        levels = np.array(file.plan_levels)[patients.rows[:, -1].astype(int)]
        truth = np.array(
            [fresh.truth[f"response__{plan}"].iloc[i] for i, plan in enumerate(levels)], dtype=np.float64
        )
        _, low, high = model.predict(Inputs(encoder, patients.rows))
        result += [float(((low <= truth) & (truth <= high)).mean()), float((high - low).mean())]
    return result[0], result[1], result[2], result[3]


@pytest.mark.slow
def test_interval_covers_the_truth_of_the_simulated_cohort_with_and_without_gaps() -> None:
    found = np.mean([coverage(seed) for seed in range(11, 17)], axis=0)
    complete, width, missing, wider = found
    # The promise: a 90 % interval holds the true probability of 85 to 95 of 100 patients.
    assert 0.85 <= complete <= 0.95
    assert 0.85 <= missing <= 0.95
    assert wider > width


def test_groups_too_small_to_tell_from_patients_are_left_aside() -> None:
    train = training_set()
    alone = TrainingSet(train.inputs, train.y, np.arange(len(train.y)))
    np.testing.assert_array_equal(fit_uncertainty(alone).covariance, fit_uncertainty(train).covariance)


def test_without_plans_there_is_one_set_of_weights() -> None:
    from features.cohort_file import parse_cohort_file
    from tests.features.files import COHORT

    start, end = COHORT.index("[plan]"), COHORT.index("[landmarks]")
    file = parse_cohort_file(COHORT[:start] + COHORT[end:], "small.toml")
    rows, y = small_cohort().rows[:, :-1], small_cohort().response
    known = ~np.isnan(y)
    train = make_set(file, rows[known], y[known])
    model: Uncertainty = fit_uncertainty(train)
    assert model.covariance.shape[0] == 1
    inputs = Inputs(train.inputs.encoder, rows)
    centre = model.centre.logit(inputs)
    whole = train.inputs.encoder.design(rows)
    posterior = fit_written_out(*write_out(train), train.y)
    np.testing.assert_allclose(centre, whole @ posterior.mean, atol=1e-8)
    np.testing.assert_allclose(
        centre, linear_score(train.inputs.encoder, posterior.mean, np.ones(1)).logit(inputs), atol=1e-8
    )
    assert ((expit(centre) > 0) & (expit(centre) < 1)).all()


@pytest.mark.parametrize("groups", [False, True])
def test_effective_parameters_are_those_of_the_hat_matrix(groups: bool) -> None:
    train = training_set(groups=groups)
    size = train.design.shape[1]
    design, blocks = write_out(train)
    posterior = fit_written_out(design, blocks, train.y)
    p = expit(design @ posterior.mean)
    weight = p * (1 - p)
    # What is left of the inverse Hessian when the likelihood's part is divided out again.
    inverse = posterior.learned @ np.linalg.pinv((design.T * weight) @ design)
    hat = design[:, :size] @ inverse[:size] @ (design.T * weight)
    found = float(fit_uncertainty(train).parameters)
    assert found == pytest.approx(np.trace(hat @ hat), rel=0.01)
    # The intercept at least, and far fewer than columns: most of them are shrunk away.
    assert 1 < found < size / 4
