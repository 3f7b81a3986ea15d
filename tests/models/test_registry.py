"""Finding a model: by folder, by alias, by version, and what is said when there is none."""

import shutil
import socket
import time
from pathlib import Path

import mlflow
import pytest

from features.errors import ArtefactError, RegistryError
from models.registry import DIGEST_TAG, connect, load_located, locate, tracking_uri
from models.storage import digest_of, save_model
from tests.models.small import care_model


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store made once: its tables take seconds to make."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
        connect()
    return path


@pytest.fixture
def store(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A copy of it for one test."""
    uri = f"sqlite:///{shutil.copy(empty_store, tmp_path / 'mlflow.db')}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return uri


def test_a_folder_is_a_model(tmp_path: Path) -> None:
    digest = save_model(care_model("ridge"), tmp_path / "mine")
    located = locate(str(tmp_path / "mine"))
    assert (located.name, located.version, located.digest) == ("mine", "local", digest)
    assert load_located(located).cohort_file == care_model("ridge").cohort_file


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"nowhere holds no model: manifest\.json is missing"):
        locate(str(tmp_path / "nowhere"))


@pytest.mark.parametrize("uri", ["models:/", "models:/x", "models:/x/", "models:/x/latest", "models:/x/1/2"])
def test_an_address_that_is_none_is_refused_with_what_to_write(uri: str, store: str) -> None:
    with pytest.raises(RegistryError, match="write models:/NAME@ALIAS or models:/NAME/VERSION"):
        locate(uri)


@pytest.mark.parametrize("uri", ["models:/absent@champion", "models:/absent/1", "models:/absent/99"])
def test_a_model_that_is_not_registered_is_refused(uri: str, store: str) -> None:
    with pytest.raises(RegistryError, match=f"the registry holds no {uri}"):
        locate(uri)


def test_a_store_that_does_not_answer_is_said_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    start = time.monotonic()
    with pytest.raises(RegistryError, match=r"tracking store does not answer .*check MLFLOW_TRACKING_URI"):
        locate("models:/any@champion")
    # MLflow's own default tries for minutes.
    assert time.monotonic() - start < 20


def test_a_store_that_is_no_database_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"this is not a database" * 100)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    with pytest.raises(RegistryError, match="the tracking store does not answer"):
        connect()


def test_without_a_setting_the_store_is_a_file_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    assert tracking_uri() == f"sqlite:///{tmp_path / '.mlflow' / 'mlflow.db'}"
    assert not (tmp_path / ".mlflow").exists()


def register(folder: Path, tags: dict[str, str]) -> str:
    """Register a folder's files as a version, as any MLflow client can."""
    client = connect()
    experiment = client.create_experiment("x", artifact_location=(folder.parent / "artifacts").as_uri())
    with mlflow.start_run(experiment_id=experiment) as run:
        mlflow.log_artifacts(str(folder), "model/data/response_model")
    client.create_registered_model("small")
    source = f"{run.info.artifact_uri}/model"
    version = str(client.create_model_version("small", source, run.info.run_id, tags=tags).version)
    client.set_registered_model_alias("small", "champion", version)
    return version


def test_a_version_is_found_by_alias_and_by_number_and_checked(store: str, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    digest = save_model(care_model("ridge"), folder)
    version = register(folder, {DIGEST_TAG: digest})
    for uri in ("models:/small@champion", f"models:/small/{version}"):
        located = locate(uri)
        assert (located.name, located.version, located.digest) == ("small", version, digest)
        assert digest_of(located.folder) == digest
        load_located(located)
    with pytest.raises(RegistryError, match="the registry holds no models:/small@challenger"):
        locate("models:/small@challenger")
    # Somebody swaps the files behind the registry.
    (stored,) = (tmp_path / "artifacts").rglob("manifest.json")
    save_model(care_model("prevalence"), stored.parent)
    with pytest.raises(ArtefactError, match="is not the one that was registered"):
        load_located(locate("models:/small@champion"))


def test_a_version_that_is_known_is_not_fetched_again(store: str, tmp_path: Path) -> None:
    digest = save_model(care_model("ridge"), tmp_path / "files")
    register(tmp_path / "files", {DIGEST_TAG: digest})
    (tmp_path / "copies").mkdir()
    first = locate("models:/small@champion", into=tmp_path / "copies")
    assert first.folder.is_relative_to(tmp_path / "copies")
    shutil.rmtree(tmp_path / "artifacts")  # a copy needs nobody
    load_located(first)
    assert locate("models:/small@champion", known=first, into=tmp_path / "copies") is first
    # Validated since: the record is another one, so that all is looked at anew.
    connect().set_model_version_tag("small", "1", "validation_record", "{}")
    with pytest.raises(ArtefactError, match=r"cannot be fetched|holds no model"):
        load_located(locate("models:/small@champion", known=first, into=tmp_path / "copies"))


def test_a_version_without_a_digest_is_refused(store: str, tmp_path: Path) -> None:
    save_model(care_model("ridge"), tmp_path / "files")
    register(tmp_path / "files", {})
    with pytest.raises(ArtefactError, match="version 1 of small has no recorded digest; fit it again"):
        locate("models:/small@champion")


def test_a_version_whose_files_are_gone_is_refused(store: str, tmp_path: Path) -> None:
    digest = save_model(care_model("ridge"), tmp_path / "files")
    register(tmp_path / "files", {DIGEST_TAG: digest})
    shutil.rmtree(tmp_path / "artifacts")
    with pytest.raises(
        ArtefactError, match=r"the files of version 1 of small cannot be fetched|holds no model"
    ):
        load_located(locate("models:/small@champion"))
