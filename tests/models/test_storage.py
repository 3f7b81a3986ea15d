"""A saved model comes back to the last digit, or not at all."""

import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.cohort_file_model import Futility
from features.errors import ArtefactError
from models.care_model import CareModel
from models.response_model import OUTCOMES
from models.stopping import Share, StoppingRule
from models.storage import FORMAT, digest_of, load_model, save_model
from tests.models.small import FILE, NAMES, care_model, fresh_rows, small_model


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_model(care_model("average"), tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("name", NAMES)
def test_a_loaded_model_predicts_what_the_saved_one_did_to_the_last_bit(name: str, tmp_path: Path) -> None:
    whole = care_model(name)
    loaded_whole = load_model(tmp_path / "m", save_model(whole, tmp_path / "m"))
    assert loaded_whole.cohort_file == whole.cohort_file == FILE
    assert list(loaded_whole.landmarks) == ["baseline", "day_1"]
    for landmark, model in whole.landmarks.items():
        loaded, rows = loaded_whole.landmarks[landmark], fresh_rows(landmark=landmark)
        assert loaded.cohort_file == model.cohort_file
        for outcome in OUTCOMES:
            ours, theirs = model.outcomes[outcome], loaded.outcomes[outcome]
            inputs, again = model.inputs(rows), loaded.inputs(rows)
            np.testing.assert_array_equal(theirs.predict(again), ours.predict(inputs))
            np.testing.assert_array_equal(theirs.drivers(again), ours.drivers(inputs))
            assert theirs.average == ours.average
            assert theirs.choice == ours.choice


def test_a_model_without_later_landmarks_and_parts_comes_back_without_them(tmp_path: Path) -> None:
    save_model(CareModel({"baseline": small_model("ridge")}), tmp_path)
    loaded = load_model(tmp_path)
    assert list(loaded.landmarks) == ["baseline"]
    assert (loaded.plans, loaded.durability, loaded.stopping) == (None, None, None)


def test_a_stopping_rule_comes_back_as_it_was(tmp_path: Path) -> None:
    rule = Futility(("a", "b", "c"), 0.2, 2, "c", "day_1", ("spray",), "in words", "a paper")
    stopping = StoppingRule(rule, 0.0, Share(3, 10), Share(7, 20), Share(2, 10), 1 / 3)
    model = CareModel(care_model("ridge").landmarks, stopping=stopping)
    digest = save_model(model, tmp_path / "a")
    loaded = load_model(tmp_path / "a")
    assert loaded.stopping == stopping
    assert save_model(loaded, tmp_path / "b") == digest
    other = CareModel(model.landmarks, stopping=replace(stopping, caught=Share(8, 20)))
    # The digest covers every part: another count, another model.
    assert save_model(other, tmp_path / "c") != digest


@pytest.mark.parametrize("name", NAMES)
def test_the_same_model_saved_twice_has_one_digest(name: str, tmp_path: Path) -> None:
    model = care_model(name)
    first, second = (save_model(model, tmp_path / folder) for folder in ("a", "b"))
    assert first == second
    # And once more, from what was loaded.
    assert save_model(load_model(tmp_path / "a"), tmp_path / "c") == first


def test_models_that_differ_have_digests_that_differ(tmp_path: Path) -> None:
    digests = {save_model(care_model(name), tmp_path / name) for name in NAMES}
    assert len(digests) == len(NAMES)


def test_no_file_is_a_pickle(saved: Path) -> None:
    names = {path.name for path in saved.iterdir()}
    trees = {f"{at}-{outcome}-score-{i}.ubj" for at in (0, 1) for outcome in OUTCOMES for i in (2, 3)}
    assert names == {"cohort.toml", "model.json", "arrays.npz", "manifest.json"} | trees
    with np.load(saved / "arrays.npz", allow_pickle=False) as arrays:
        assert len(arrays.files) > 10
        assert all(arrays[name].dtype != object for name in arrays.files)
    for path in saved.iterdir():
        # Protocol 2 and later start so; `.npz` is a zip, `.ubj` an object of universal binary JSON.
        assert path.read_bytes()[:2] not in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def test_the_files_hold_no_patient(saved: Path) -> None:
    with np.load(saved / "arrays.npz", allow_pickle=False) as arrays:
        longest = max(max(arrays[name].shape, default=0) for name in arrays.files)
    # 350 patients were learned from; every array is as long as the columns, not as the patients.
    assert longest < 60


def rewrite(folder: Path, change: Callable[[dict[str, object]], object]) -> None:
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def replace_consistently(folder: Path, name: str, content: bytes) -> None:
    """A file that is not a model's, with a manifest that says it belongs there."""
    (folder / name).write_bytes(content)
    rewrite(folder, lambda m: m["files"].update({name: sha256(content).hexdigest()}))  # type: ignore[attr-defined]


def edit_numbers(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    text = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    change(text)
    replace_consistently(folder, "model.json", json.dumps(text).encode())


def edit_arrays(folder: Path, part: str, value: float) -> None:
    """Put one odd number into an array, with a manifest that fits."""
    with np.load(folder / "arrays.npz", allow_pickle=False) as stored:
        arrays = {name: stored[name].copy() for name in stored.files}
    name = next(name for name in arrays if part in name)
    arrays[name].flat[0] = value
    with io.BytesIO() as file:
        np.savez(file, **arrays)
        replace_consistently(folder, "arrays.npz", file.getvalue())


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def add_traversal(folder: Path) -> None:
    outside = folder.parent / "outside.txt"
    outside.write_text("not ours", encoding="utf-8")
    digest = sha256(b"not ours").hexdigest()
    rewrite(folder, lambda m: m["files"].update({"../outside.txt": digest}))  # type: ignore[attr-defined]


def empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no arrays": (lambda f: (f / "arrays.npz").unlink(), r"is not whole: arrays\.npz is missing"),
    "no booster": (lambda f: (f / "0-response-score-2.ubj").unlink(), r"0-response-score-2\.ubj is missing"),
    "no manifest": (lambda f: (f / "manifest.json").unlink(), r"holds no model: manifest\.json is missing"),
    "empty folder": (empty, r"holds no model: manifest\.json is missing"),
    "no folder": (shutil.rmtree, r"holds no model: manifest\.json is missing"),
    "a changed byte of the arrays": (
        lambda f: flip_a_byte(f / "arrays.npz"),
        r"was changed after it was saved: arrays\.npz",
    ),
    "a changed byte of the numbers": (
        lambda f: flip_a_byte(f / "model.json"),
        r"was changed .*: model\.json",
    ),
    "a changed cohort file": (lambda f: flip_a_byte(f / "cohort.toml"), r"was changed .*: cohort\.toml"),
    "a changed booster": (
        lambda f: flip_a_byte(f / "1-remission-score-3.ubj"),
        r"was changed .*: 1-remission",
    ),
    "another format": (
        lambda f: rewrite(f, lambda m: m.update(format=99)),
        f"has format 99; this version reads format {FORMAT}",
    ),
    "a manifest that is not JSON": (
        lambda f: (f / "manifest.json").write_text("no", encoding="utf-8"),
        r"manifest\.json is not a manifest",
    ),
    "a manifest of bytes": (
        lambda f: (f / "manifest.json").write_bytes(b"\xff\xfe\x00"),
        r"manifest\.json is not a manifest",
    ),
    "a manifest that is a list": (
        lambda f: (f / "manifest.json").write_text("[1]", encoding="utf-8"),
        r"manifest\.json is not a manifest",
    ),
    "a manifest without files": (
        lambda f: rewrite(f, lambda m: m.pop("files")),
        r"manifest\.json is not a manifest",
    ),
    "a name that leads out of the folder": (add_traversal, r"is not whole: \.\./outside\.txt is missing"),
    "arrays that are not arrays": (
        lambda f: replace_consistently(f, "arrays.npz", b"PK\x03\x04 no zip"),
        "cannot be read",
    ),
    "a booster that is none": (
        lambda f: replace_consistently(f, "0-response-score-2.ubj", b"no booster"),
        "cannot be read",
    ),
    "a weight that is no number": (
        lambda f: edit_arrays(f, "score/0-response", np.nan),
        "cannot be read: ValueError: score/0-response-.* holds numbers that are not finite",
    ),
    "a variance without end": (
        lambda f: edit_arrays(f, "/uncertainty/covariance", np.inf),
        "uncertainty/covariance holds numbers that are not finite",
    ),
    "a percentile without end": (
        lambda f: edit_arrays(f, "0-encoder/seen_", np.inf),
        "0-encoder/seen_ holds numbers that are not finite",
    ),
    "a bound that is no number": (
        lambda f: edit_numbers(
            f, lambda text: text["landmarks"]["day_1"]["remission"].update(bounds=[0.5, np.nan])
        ),
        r"model\.json holds numbers that are not finite",
    ),
    "whom it learned from, with a share beyond all": (
        lambda f: edit_numbers(
            f, lambda text: text["parts"].update(learned_from={"alike": np.nan, "places": 4})
        ),
        "whom the model learned from is not said in shares and places",
    ),
    "numbers that are a list": (lambda f: replace_consistently(f, "model.json", b"[]"), "cannot be read"),
    "numbers without landmarks": (
        lambda f: replace_consistently(f, "model.json", b'{"landmarks": [], "parts": {}}'),
        "cannot be read",
    ),
    "numbers without the baseline": (
        lambda f: edit_numbers(f, lambda text: text["landmarks"].pop("baseline")),
        "cannot be read: ValueError: its landmarks are not those of its cohort file",
    ),
    "a landmark that the cohort file does not know": (
        lambda f: edit_numbers(f, lambda text: text["landmarks"].update(day_9=text["landmarks"]["day_1"])),
        "cannot be read: ValueError: its landmarks are not those of its cohort file",
    ),
    "numbers without parts": (lambda f: edit_numbers(f, lambda text: text.pop("parts")), "cannot be read"),
    "a part that is none": (
        lambda f: edit_numbers(f, lambda text: text["parts"].update(stopping={"rule": {}})),
        "cannot be read",
    ),
    "the first format": (
        lambda f: rewrite(f, lambda m: m.update(format=1)),
        "has format 1; this version reads format 4",
    ),
    "another cohort file": (
        lambda f: replace_consistently(f, "cohort.toml", b'name = "x"'),
        "cannot be read",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_model_is_refused(damage: str, saved: Path) -> None:
    harm, message = DAMAGES[damage]
    load_model(saved)
    harm(saved)
    with pytest.raises(ArtefactError, match=message):
        load_model(saved)


def test_a_model_that_is_not_the_registered_one_is_refused_whatever_it_holds(saved: Path) -> None:
    registered = digest_of(saved)
    replace_consistently(saved, "cohort.toml", (saved / "cohort.toml").read_bytes() + b"\n")
    load_model(saved)
    with pytest.raises(
        ArtefactError, match=f"is not the one that was registered: .* expected {registered[:12]}"
    ):
        load_model(saved, registered)


def test_a_pickled_array_is_not_read(saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "evil.npz"
    np.savez(path, evil=np.array([{"a": 1}], dtype=object))
    replace_consistently(saved, "arrays.npz", path.read_bytes())
    with pytest.raises(ArtefactError, match=r"cannot be read: ValueError: .*allow_pickle"):
        load_model(saved)
