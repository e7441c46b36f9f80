"""The engines on recorded answers of real crowds; needs the data folder (TOUCHSTONE_DATA)."""

from __future__ import annotations

import numpy as np
import pytest

from qualification.inference.agreement import krippendorff_alpha
from qualification.inference.answers import Answers
from qualification.inference.engine import engine_named
from tests.qualification.inference.recordings import DATA, accuracy, recording

pytestmark = pytest.mark.skipif(not (DATA / "rte").is_dir(), reason=f"no recorded answers in {DATA}")

MAJORITY, DAWID_SKENE = engine_named("majority"), engine_named("dawid_skene")


@pytest.mark.parametrize(
    ("name", "majority", "dawid_skene", "alpha"),
    [
        ("rte", 0.897, 0.927, 0.2415),
        ("dog_breeds", 0.822, 0.843, 0.5194),
        ("weather_sentiment", 0.853, 0.840, 0.5209),
        ("med_relation_cause", 0.904, 0.922, 0.2889),
    ],
)
def test_all_answers_give_the_published_figures(name: str, majority: float, dawid_skene: float, alpha: float) -> None:
    recorded = recording(name)
    answers = Answers.of(recorded.answers, classes=recorded.classes)

    votes, beliefs = MAJORITY.fit(answers), DAWID_SKENE.fit(answers)

    assert accuracy(votes.posterior, answers, recorded.truth, recorded.classes) == pytest.approx(majority, abs=0.0006)
    assert accuracy(beliefs.posterior, answers, recorded.truth, recorded.classes) == pytest.approx(
        dawid_skene, abs=0.01
    )
    assert krippendorff_alpha(answers.counts()) == pytest.approx(alpha, abs=5e-4)
    assert beliefs.converged


@pytest.mark.parametrize(
    ("name", "items"), [("rte", None), ("dog_breeds", None), ("med_relation_cause", None), ("trec_relevance", 2000)]
)
def test_at_five_answers_dawid_skene_is_not_worse_than_majority(name: str, items: int | None) -> None:
    recorded = recording(name)
    gains = []
    for seed in range(3):
        answers = recorded.cut(5, np.random.default_rng(seed), items)
        votes, beliefs = MAJORITY.fit(answers).posterior, DAWID_SKENE.fit(answers).posterior
        gains.append(
            accuracy(beliefs, answers, recorded.truth, recorded.classes)
            - accuracy(votes, answers, recorded.truth, recorded.classes)
        )

    assert np.mean(gains) >= 0
