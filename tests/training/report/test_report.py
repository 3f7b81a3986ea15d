"""Reports of a version that a real `fit` has left, never validated and validated."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from mlflow import MlflowClient

from models.keys import SIGNING_KEY, TRUSTED_KEYS, make_key
from models.record import SIGNED_FILES, sign
from models.registry import RECORD_TAGS
from tests.training.commands import call
from tests.training.conftest import PLANTED, FittedStore
from tests.training.report.validations import make_validation
from training.report.material import Material
from training.report.run import make_files
from training.report.study import Study, parse_study
from training.report.view import SECTIONS

FILES = {
    "report.html",
    "model_card.html",
    "model_card.json",
    "model_card.xml",
    "checklists.json",
    "model.json",
}


class Page(HTMLParser):
    """Ids, addresses and what describes the drawings of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.drawings: list[list[str]] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.add(tag)
        self.ids += [str(values["id"])] if "id" in values else []
        self.addresses += [
            str(values[name]) for name in ("href", "src", "xlink:href", "action") if name in values
        ]
        if tag == "svg":
            self.drawings.append(str(values["aria-labelledby"]).split())


@pytest.fixture
def client(store: FittedStore) -> Iterator[MlflowClient]:
    """The store, from which every trace of a validation is taken away afterwards."""
    client = MlflowClient(store.uri)
    yield client
    for tag in RECORD_TAGS.values():
        if tag in client.get_model_version("small", "1").tags:
            client.delete_model_version_tag("small", "1", tag)
    run = run_of(client)
    from mlflow.artifacts import download_artifacts  # local store: the path itself

    folder = Path(download_artifacts(run_id=run, artifact_path="metrics.json")).parent / "validation"
    for path in folder.glob("*") if folder.is_dir() else ():
        path.unlink()


SIGNED_PATHS = {
    "validation.json": "validation/validation.json",
    "gates.json": "validation/gates.json",
    "metrics.json": "metrics.json",
}


def read_logged(client: MlflowClient, path: str) -> str:
    from mlflow.artifacts import download_artifacts

    return Path(download_artifacts(run_id=run_of(client), artifact_path=path)).read_text(encoding="utf-8")


def run_of(client: MlflowClient) -> str:
    return str(client.get_model_version("small", "1").run_id)


def validate(client: MlflowClient) -> str:
    digest = client.get_model_version("small", "1").tags["artefact_digest"]
    text = json.dumps(make_validation("small", digest))
    client.log_text(run_of(client), text, "validation/validation.json")
    return text


def write(store: FittedStore, tmp_path: Path, *more: object) -> str:
    done = call("report", "--model", store.model, "--out", tmp_path / "out", *more)
    assert done.code == 0, done.err
    return (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_a_version_never_validated_says_so_and_still_has_every_section(material: Material) -> None:
    text = make_files(material, Study())["report.html"]
    assert "This version was never validated." in text
    page = Page(text)
    assert [i for i in SECTIONS if i not in page.ids] == []
    # No figure is made up: what only a validation gives is absent.
    assert not any(i.startswith(("calibration-", "net-benefit-", "leave-")) for i in page.ids)


def test_page_is_self_contained(internal: str) -> None:
    page = Page(internal)
    assert {address for address in page.addresses if not address.startswith("#")} == {"data:,"}
    assert "script" not in page.tags
    assert not re.search(r"url\(|@import", internal)
    assert "default-src 'none'" in internal  # the browser itself would refuse anything else


def test_links_lead_somewhere_and_ids_are_unique(internal: str) -> None:
    page = Page(internal)
    assert len(page.ids) == len(set(page.ids))
    assert {a.removeprefix("#") for a in page.addresses if a.startswith("#")} <= set(page.ids)
    # Each drawing has a title and a description, which are in the page.
    assert len(page.drawings) > 30
    assert all(len(names) == 2 and set(names) <= set(page.ids) for names in page.drawings)


def test_names_from_the_data_are_escaped(internal: str) -> None:
    # The validation holds sites called "site <01>", and an outcome's sentences are texts as well.
    assert "site &lt;01&gt;" in internal
    assert "site <01>" not in internal


def test_internal_validation_is_shown(internal: str) -> None:
    for said in (
        "Internal validation",
        "Leave one site out, 12 held out in turn",
        "A new unit (prediction)",
        "Optimism, 0.632+",
        "Bootstrap optimism",
        "Interventions avoided per 100",
        "Net benefit values acting on prognosis, not the effect of treatment",
        "416 of 1200 endpoints (35\N{NO-BREAK SPACE}%) are missing",
        "50 refits on bootstrap samples",
        # The spread of single refits, which must not pass for an interval of their mean.
        "0.031 in the mean, 0.027 to 0.035 in the central 95\N{NO-BREAK SPACE}% of refits",
        "so that instability is understated",
        "Learning curve: Log loss",
        "The last step changed it by -0.026 (-0.037 to -0.015), paired.",
        "-0.100 (-0.111 to -0.089)",
        "this version minus the champion",
        "Means differ by 1.2 SD between sites.",
        "too small",
        "p &lt; 0.001",
    ):
        assert said in internal, said


def test_missing_endpoints_are_handled_by_a_validation_and_not_by_a_fit_alone(
    material: Material, files: dict[str, str]
) -> None:
    assert material.metrics["patients"]["with_endpoint"] < material.metrics["patients"]["included"]
    for text, rating in (
        (make_files(material, Study())["checklists.json"], "probably no"),
        (files["checklists.json"], "yes"),
    ):
        questions = {question["key"]: question for question in json.loads(text)["probast_ai"]}
        assert questions["evaluation 4.3"]["rating"] == rating


def test_external_validation_is_shown_as_external(material: Material) -> None:
    made = make_files(replace(material, validation=make_validation(same_data=False)), Study())
    text, card = made["report.html"], json.loads(made["model_card.json"])
    assert "External validation: on other patients" in text
    assert "External, logistic recalibration" in text
    assert "learned of all patients: intercept -0.31 (-0.51 to -0.11), slope 0.82 (0.62 to 1.02)" in text
    assert "There was no champion to compare with." in text
    assert card["KeyMetrics"]["SafetyReliability"]["TestType"].startswith("External")


def test_signed_record_is_verified_and_other_figures_are_noticed(
    store: FittedStore, client: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_key(tmp_path / "keys")
    monkeypatch.setenv(SIGNING_KEY, str(key))
    monkeypatch.setenv(TRUSTED_KEYS, str(tmp_path / "keys"))
    digest = client.get_model_version("small", "1").tags["artefact_digest"]
    validate(client)
    gate = {"name": "skill", "outcome": "response", "for": "all", "verdict": "pass", "ok": True, "value": 0.1}
    values = {"name": "small", "version": "1", "artefact_digest": digest, "passed": True, "gates": [gate]}
    verdicts = {"gates": [gate | {"why": "Because."}]}
    client.log_text(run_of(client), json.dumps(verdicts), "validation/gates.json")
    files = {name: read_logged(client, path) for name, path in SIGNED_PATHS.items()}
    digests = {SIGNED_FILES[name]: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()}
    record = sign(values | {"champion": None} | digests, key)
    for field, tag in RECORD_TAGS.items():
        client.set_model_version_tag("small", "1", tag, getattr(record, field))
    text = write(store, tmp_path)
    assert "Passed its gates." in text
    assert "not those that were signed" not in text
    for name, path in SIGNED_PATHS.items():
        client.log_text(run_of(client), files[name] + " ", path)
        assert "not those that were signed" in write(store, tmp_path), name
        client.log_text(run_of(client), files[name], path)
    # One letter of the record more, and nothing it says counts any longer.
    client.set_model_version_tag("small", "1", RECORD_TAGS["text"], record.text + " ")
    text = write(store, tmp_path)
    assert "Passed its gates." not in text
    assert "is forged" in text


def test_everything_is_logged_to_the_run_too_and_holds_no_patient(
    store: FittedStore, client: MlflowClient, tmp_path: Path
) -> None:
    write(store, tmp_path)
    logged = {Path(item.path).name for item in client.list_artifacts(run_of(client), "report")}
    assert logged == FILES == {path.name for path in (tmp_path / "out").iterdir()}
    for path in (tmp_path / "out").iterdir():
        text = path.read_text(encoding="utf-8")
        assert not [value for value in PLANTED.values() if value in text], path.name
        assert "patient-0" not in text


def test_folder_is_refused(store: FittedStore, tmp_path: Path) -> None:
    from mlflow.artifacts import download_artifacts

    from models.registry import FOLDER

    whole = Path(download_artifacts("models:/small/1"))
    done = call("report", "--model", whole / "data" / FOLDER, "--out", tmp_path / "out")
    assert done.code == 2
    assert "a report is made of a registered version" in done.err
    assert not (tmp_path / "out").exists()


def test_wrong_study_file_stops_before_anything_is_written(store: FittedStore, tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text("[open_science]\nfundung = 'None.'\n", encoding="utf-8")
    done = call(
        "report", "--model", store.model, "--out", tmp_path / "out", "--study", tmp_path / "study.toml"
    )
    assert done.code == 2
    assert "unknown key 'fundung'; did you mean 'funding'?" in done.err
    assert not (tmp_path / "out").exists()


def test_study_file_answers_what_the_run_cannot(material: Material) -> None:
    said = """
        [open_science]
        funding = "Paid by <nobody>."
        [probast."development 1.1"]
        rating = "probably no"
        why = "Old records."
    """
    made = make_files(material, parse_study(said, "study.toml", ("development 1.1",)))
    assert "Paid by &lt;nobody&gt;." in made["report.html"]
    assert "probably no (by the study file)" in made["report.html"]
    by_number = {item["number"]: item for item in json.loads(made["checklists.json"])["tripod_ai"]}
    assert by_number["18a"]["status"] == "stated"
    assert by_number["18b"]["status"] == "not stated"
    # The item asks for three things; whoever states one has not stated the item.
    assert by_number["3b"]["status"] == "partly stated"
