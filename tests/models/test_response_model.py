"""The response model: drivers that add up, intervals around the probability, one patient as the batch."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.inputs import Inputs
from models.response_model import LEVEL, OUTCOMES, OutcomeModel
from tests.models.small import NAMES, fresh_rows, small_model


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_drivers_add_up_to_the_difference_from_the_average_patient(name: str, outcome: str) -> None:
    model = small_model(name)
    inputs = model.inputs(fresh_rows())
    part = model.outcomes[outcome]
    drivers = part.drivers(inputs)
    assert drivers.shape == inputs.rows.shape
    tolerance = 1e-9 if name in ("prevalence", "ridge", "elastic_net", "random_forest") else 1e-6
    np.testing.assert_allclose(
        drivers.sum(axis=1), part.probability(inputs) - part.average, rtol=0, atol=tolerance
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_interval_holds_the_probability(name: str) -> None:
    model = small_model(name)
    for part in model.outcomes.values():
        probability, low, high = part.predict(model.inputs(fresh_rows()))
        assert ((low > 0) & (low < probability) & (probability < high) & (high < 1)).all()
        np.testing.assert_array_equal(probability, part.probability(model.inputs(fresh_rows())))


@pytest.mark.parametrize("name", NAMES)
def test_one_patient_is_predicted_as_in_the_batch(name: str) -> None:
    model, rows = small_model(name), fresh_rows(60)
    for part in model.outcomes.values():
        whole, drivers = part.predict(model.inputs(rows)), part.drivers(model.inputs(rows))
        for i in range(60):
            one = model.inputs(rows[i : i + 1])
            np.testing.assert_allclose(part.predict(one)[:, 0], whole[:, i], rtol=0, atol=1e-12)
            np.testing.assert_allclose(part.drivers(one)[0], drivers[i], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_order_of_patients_does_not_matter(name: str) -> None:
    model, rows = small_model(name), fresh_rows()
    part = model.outcomes["response"]
    backwards = part.predict(model.inputs(rows[::-1].copy()))[:, ::-1]
    np.testing.assert_allclose(backwards, part.predict(model.inputs(rows)), rtol=0, atol=1e-12)


def disagreement(part: OutcomeModel, inputs: Inputs, centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Half the squared distance from the posterior's own mean: as if either could be right."""
    distance: NDArray[np.float64] = centre - part.uncertainty.centre.logit(inputs)
    return distance**2 / 2


@pytest.mark.parametrize("name", NAMES)
def test_the_interval_is_symmetric_on_the_logit_scale_at_the_stated_level(name: str) -> None:
    model = small_model(name)
    part, inputs = model.outcomes["response"], model.inputs(fresh_rows())
    logits = np.log(part.predict(inputs)) - np.log1p(-part.predict(inputs))
    centre, low, high = logits
    np.testing.assert_allclose(high - centre, centre - low, atol=1e-9)
    # 1.6449 is the 95th percentile of a standard normal: 5 % on each side of a 90 % interval.
    assert pytest.approx(0.9) == LEVEL
    spread = np.sqrt(part.uncertainty.variance(inputs) + disagreement(part, inputs, centre))
    np.testing.assert_allclose((high - low) / (2 * spread), 1.644854, rtol=1e-5)


def test_drivers_of_the_average_patient_are_finite_and_small() -> None:
    """Where the probability equals the average's, the path has no length and the slope there is used."""
    model = small_model("ridge")
    encoder = model.encoder
    rows = np.full((1, 7), np.nan)
    rows[0, -1] = 0
    part = model.outcomes["response"]
    drivers = part.drivers(Inputs(encoder, rows))
    assert np.isfinite(drivers).all()
    flat = small_model("prevalence").outcomes["response"].drivers(model.inputs(fresh_rows()))
    # The floor knows nothing but the plan.
    np.testing.assert_array_equal(flat[:, :-1], 0)
    assert np.abs(flat[:, -1]).max() > 0


def test_response_and_remission_are_models_of_their_own() -> None:
    model = small_model("ridge")
    response, remission = (model.outcomes[name].probability(model.inputs(fresh_rows())) for name in OUTCOMES)
    # Remission asks for more than response in nearly every patient of this cohort.
    assert remission.mean() < response.mean()
