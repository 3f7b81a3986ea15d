"""Put the health record's routes together, for one version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.fhir_mapping import find_mapping
from serving.health_record.cds_routes import cds_router
from serving.health_record.clients import load_clients
from serving.health_record.fhir_routes import fhir_router
from serving.health_record.predicting import Predictor

if TYPE_CHECKING:
    from fastapi import APIRouter

    from features.screening import CohortScreen
    from serving.loading import Served
    from serving.schemas import PredictRequest
    from serving.settings import Settings

__all__ = ["check_health_record", "health_record_routers"]


def check_health_record(settings: Settings, served: Served) -> None:
    """Read what the settings name, so that what is wrong with it is said at start.

    Parameters
    ----------
    settings : Settings
    served : Served

    Raises
    ------
    UserError
        As `health_record_routers`.
    """
    find_mapping(settings.fhir_mapping, served.scorer.cohort_file)
    load_clients(settings.cds_clients, settings.public_url)


def health_record_routers(
    settings: Settings, served: Served, model: type[PredictRequest], screen: CohortScreen
) -> tuple[APIRouter, APIRouter]:
    """Make the routes of CDS Hooks and of FHIR.

    Parameters
    ----------
    settings : Settings
    served : Served
    model : type of PredictRequest
        Of the served model's cohort.
    screen : CohortScreen
        Of the same cohort.

    Returns
    -------
    (APIRouter, APIRouter)

    Raises
    ------
    UserError
        If the mapping does not fit the version's cohort file, or the list of CDS clients cannot be read.
    """
    mapping = find_mapping(settings.fhir_mapping, served.scorer.cohort_file)
    predictor = None if mapping is None else Predictor(mapping, model, screen)
    clients = load_clients(settings.cds_clients, settings.public_url)
    return cds_router(predictor, clients, settings.public_url), fhir_router(predictor)
