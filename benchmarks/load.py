"""Clients that keep a service busy, and hold every answer against the version that it names."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Final, Self

from features.encoding import encode_patient
from features.simulation import simulate
from models.scorer import Scorer

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

    import pandas as pd

    from models.care_model import CareModel

_PATIENCE: Final = 30.0  # seconds that an answer may take
_PAUSE: Final = 0.02  # seconds between two attempts to connect
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_EXAMPLES: Final = 3

Numbers = tuple[Any, ...]
Answers = dict[str, tuple[str, int]]
"""Version and question of each answer, by its `prediction_id`."""


@dataclass(frozen=True)
class Questions:
    """Patients to ask about, and what each version must answer.

    Parameters
    ----------
    bodies : list of bytes
        Of `POST /v1/predict`.
    expected : dict of str to list
        By version and question, as `numbers_of` reads an answer.
    """

    bodies: list[bytes]
    expected: dict[str, list[Numbers]]

    def is_right(self, version: str, question: int, answer: Mapping[str, Any]) -> bool:
        """Whether an answer is that of the version to the question, to the last digit."""
        return version in self.expected and numbers_of(answer) == self.expected[version][question]


def make_questions(models: Mapping[str, CareModel], count: int, seed: int) -> Questions:
    """Draw patients with the gaps of a clinic, and answer them without any service.

    Parameters
    ----------
    models : mapping of str to CareModel
        By version; all of the shipped cohort file.
    count, seed : int

    Returns
    -------
    Questions

    Raises
    ------
    ValueError
        If two versions say the same of a patient: then a mixed answer could not be told.
    """
    scorers = {version: Scorer(model.baseline) for version, model in models.items()}
    asked = [_ask(scorers, row) for _, row in simulate(count, seed).table.iterrows()]
    expected = {version: [answers[version] for _, answers in asked] for version in models}
    for of_all in zip(*expected.values(), strict=True):
        for probabilities in zip(*(numbers[:6:3] for numbers in of_all), strict=True):
            if len(set(probabilities)) < len(models):
                raise ValueError("two versions answer alike: choose others")
    return Questions([body for body, _ in asked], expected)


def numbers_of(answer: Mapping[str, Any]) -> Numbers:
    """What must be equal to the last digit, of an answer as it was sent or stored."""
    likelihoods = [
        answer[name] or {"probability": None, "interval": ()} for name in ("response", "remission")
    ]
    numbers = [number for one in likelihoods for number in (one["probability"], *one["interval"])]
    return (*numbers, answer["verdict"], tuple(answer["inputs"]["missing"]))


class Load:
    """Connections that are kept open and ask as fast as they are answered, for as long as the block lasts.

    Parameters
    ----------
    port : int
        Of the service, on loopback.
    key : str
        API key.
    questions : Questions
    connections : int
    """

    def __init__(self, port: int, key: str, questions: Questions, connections: int) -> None:
        self.answers: Answers = {}
        self.wrong = 0
        self.refused: Counter[int] = Counter()
        """Answers other than 200, by status."""
        self.unanswered: list[int] = []
        """Ports of connections that broke while an answer was awaited."""
        self.unreachable = 0
        """Attempts to connect that failed."""
        self.examples: list[str] = []
        self.seconds = 0.0
        self._port, self._questions = port, questions
        self._headers = (
            f"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        ).encode()
        self._latest = [""] * connections
        self._stopping = False
        self._start = 0.0
        self._thread = ThreadPoolExecutor(1)
        self._running: Future[None] | None = None

    @property
    def by_version(self) -> dict[str, int]:
        """Answers by the version that they name."""
        return dict(sorted(Counter(version for version, _ in list(self.answers.values())).items()))

    def is_all_of(self, version: str) -> bool:
        """Whether the last answer on every connection was of this version."""
        return set(self._latest) == {version}

    def __enter__(self) -> Self:
        """Begin."""
        self._start = time.perf_counter()
        self._running = self._thread.submit(asyncio.run, self._ask_all())
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for the answers that are under way, and end."""
        self._stopping = True
        self._thread.shutdown()
        self.seconds = time.perf_counter() - self._start
        if self._running is not None:
            self._running.result()

    async def _ask_all(self) -> None:
        await asyncio.gather(*(self._keep_asking(client) for client in range(len(self._latest))))

    async def _keep_asking(self, client: int) -> None:
        random = Random(client)
        while not self._stopping:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                self.unreachable += 1
                await asyncio.sleep(_PAUSE)
                continue
            port = int(writer.get_extra_info("sockname")[1])
            try:
                while not self._stopping:
                    question = random.randrange(len(self._questions.bodies))
                    async with asyncio.timeout(_PATIENCE):
                        status, body = await self._exchange(reader, writer, question)
                    self._note(client, question, status, body)
            except (OSError, EOFError):  # EOFError: it was closed before the answer was whole
                self.unanswered.append(port)
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, question: int
    ) -> tuple[int, bytes]:
        body = self._questions.bodies[question]
        writer.write(b"%b%d\r\n\r\n%b" % (self._headers, len(body), body))
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if length is None:
            raise EOFError("an answer without its length")
        return int(head.split(maxsplit=2)[1]), await reader.readexactly(int(length[1]))

    def _note(self, client: int, question: int, status: int, body: bytes) -> None:
        if status != 200:
            self.refused[status] += 1
            self._keep(f"{status}: {body.decode()}")
            return
        answer = json.loads(body)
        version, made = answer["model"]["version"], answer["prediction_id"]
        if made in self.answers or not self._questions.is_right(version, question, answer):
            self.wrong += 1
            self._keep(f"question {question}: {body.decode()}")
        self.answers[made] = (version, question)
        self._latest[client] = version

    def _keep(self, example: str) -> None:
        if len(self.examples) < _EXAMPLES:
            self.examples.append(example)


def claim(holds: bool, found: str) -> None:
    """Raise what was found, if a claim does not hold."""
    if not holds:
        raise AssertionError(found)


def check_load(name: str, load: Load, may_break: Set[int] = frozenset(), may_be_away: bool = False) -> None:
    """See that no answer was wrong, and no request failed but on connections that were bound to break.

    Parameters
    ----------
    name : str
        Of the load, for the error.
    load : Load
        That has ended.
    may_break : set of int
        Ports of clients whose worker was killed.
    may_be_away : bool
        Whether the service was away for a while, so that nobody could connect.

    Raises
    ------
    AssertionError
    """
    broken = [port for port in load.unanswered if port not in may_break]
    found = (
        f"{name}: {len(load.answers)} answered, {load.wrong} wrong, refused {dict(load.refused)}, "
        f"{len(broken)} cut off, {load.unreachable} not reached; such as {load.examples}"
    )
    failed = load.refused.total() + len(broken) + (0 if may_be_away else load.unreachable)
    claim(bool(load.answers) and not load.wrong and not failed, found)


def _ask(scorers: Mapping[str, Scorer], row: pd.Series[Any]) -> tuple[bytes, dict[str, Numbers]]:
    """Body of a request about a patient, and the answer of each version."""
    file = next(iter(scorers.values())).cohort_file
    given = {p: row[p.name] for p in file.baseline_predictors if row.notna()[p.name]}
    patient = {
        p.name: v if isinstance(v, str) else f"{v:.0f}" if p.kind == "ordinal" else float(v)
        for p, v in given.items()
    }
    body = json.dumps({"patient": patient, "plan": row["plan"], "drivers": False}).encode()
    answers = {}
    for version, scorer in scorers.items():
        answer = scorer.answer(encode_patient(file, patient, row["plan"]), drivers=False)
        likelihoods = [
            n for one in (answer.response, answer.remission) for n in (one.probability, one.low, one.high)
        ]
        answers[version] = (*likelihoods, answer.verdict, answer.missing)
    return body, answers
