"""Requests a second of the service, beside a route that only validates and beside MLflow's own server."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import psutil
from rich.table import Table

from benchmarks.simulated import cohort, cohort_file
from features.simulation import simulate
from models.storage import save_model
from training.cross_validation import Patients, fit_model
from training.fit import fit_cohort
from training.tracking import log_fit, promote, ready_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

ROUNDS: Final = 5
SECONDS: Final = 3
STARTS: Final = 3
CONNECTIONS: Final = 8
AIMS: Final = {"no drivers, of no-op": 0.5, "drivers, of no-op": 0.25, "no drivers, of mlflow": 40.0}
_PATIENTS: Final = 500  # neither model's speed depends on how many it was fitted on
_WAIT: Final = 120.0
_ALIAS: Final = "models:/ketamine_trd@champion"


@dataclass(frozen=True)
class Service:
    """A server to start: its command, the path that answers 200 once it is ready, more environment."""

    command: list[str]
    port: int
    ready: str
    environment: dict[str, str] = field(default_factory=dict)

    def url(self, path: str) -> str:
        """Address of a path."""
        return f"http://127.0.0.1:{self.port}{path}"


@dataclass(frozen=True)
class Load:
    """One kind of request: whom it is sent to, where, and its body."""

    service: Service
    path: str
    body: bytes
