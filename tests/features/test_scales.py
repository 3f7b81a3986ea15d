import pytest

from features.scales import Scale, load_scales

SCALES = list(load_scales().values())


def test_the_scales_of_the_field_are_known() -> None:
    assert set(load_scales()) == {
        *("MADRS", "HAMD17", "HAMD6", "PHQ9", "QIDS-SR16", "BDI-II", "GAD7", "HAMA", "LSAS", "PCL-5")
    }


@pytest.mark.parametrize("scale", SCALES, ids=lambda scale: scale.name)
def test_bands_cover_the_range_without_gap_or_overlap(scale: Scale) -> None:
    assert scale.bands[0].low == scale.minimum
    assert scale.bands[-1].high == scale.maximum
    # Totals are whole numbers: a band starts one point above the end of the band before.
    for before, after in zip(scale.bands, scale.bands[1:], strict=False):
        assert after.low == before.high + 1


@pytest.mark.parametrize("scale", SCALES, ids=lambda scale: scale.name)
def test_remission_ends_no_later_than_the_mildest_illness_starts(scale: Scale) -> None:
    assert scale.minimum <= scale.remission_at_most
    mild = scale.bands[1]
    # MADRS is the exception of the literature: remission (10) reaches into the mild band (from 7).
    assert scale.remission_at_most <= mild.low or scale.name == "MADRS"


@pytest.mark.parametrize("scale", SCALES, ids=lambda scale: scale.name)
def test_each_scale_names_its_source_with_a_year(scale: Scale) -> None:
    assert any(year in scale.source for year in map(str, range(1959, 2026)))


@pytest.mark.parametrize(
    ("name", "items", "highest_item"),
    [("MADRS", 10, 6), ("PHQ9", 9, 3), ("BDI-II", 21, 3), ("GAD7", 7, 3), ("HAMA", 14, 4), ("PCL-5", 20, 4)],
)
def test_the_maximum_is_that_of_all_items(name: str, items: int, highest_item: int) -> None:
    assert load_scales()[name].maximum == items * highest_item


def test_the_loaded_scales_cannot_be_changed() -> None:
    with pytest.raises(TypeError, match="does not support item assignment"):
        load_scales()["X"] = SCALES[0]  # type: ignore[index]
