"""Copying is told from agreeing, and acts on nobody by itself."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import pytest

from qualification.inference import likeness, rings
from qualification.inference.answers import Answers, FloatArray
from qualification.inference.engine import engine_named
from qualification.inference.likeness import Scene
from qualification.inference.rings import Ring, Tier
from tests.bench.b9 import made_up, of_rings, read
from tests.qualification.inference.recordings import a_crowd

PAIR = Ring(members=(1, 2), source=1, score=9.0, margin=4.0, shared=20, same=20)


def seen(answers: Answers) -> Scene:
    return likeness.scene(answers, engine_named("dawid_skene").fit(answers).posterior)


def two_and_a_crowd(labels: list[tuple[int, int]], *, gold: bool) -> Answers:
    """Workers 0 and 1 give ``labels``; eight others are right; the true class is 0 everywhere, of three."""
    triples = []
    for task, pair in enumerate(labels):
        triples += [(task, worker, label) for worker, label in enumerate(pair)]
        triples += [(task, worker, 0) for worker in range(2, 10)]
    known: dict[Hashable, Hashable] = dict.fromkeys(range(len(labels)), 0) if gold else {}
    return Answers.of(triples, classes=3, workers=range(10), gold=known)


def score_of(answers: Answers) -> float:
    found = likeness.pairs(seen(answers))
    return float(found.scores[(found.first == 0) & (found.second == 1)][0])


@pytest.mark.parametrize("gold", [True, False])
def test_shared_errors_tell_and_shared_right_answers_do_not(gold: bool) -> None:
    right, slip = (0, 0), (1, 1)
    agreeing = score_of(two_and_a_crowd([right] * 24, gold=gold))
    copying = score_of(two_and_a_crowd([slip] * 8 + [right] * 16, gold=gold))
    apart = score_of(two_and_a_crowd([(1, 0), (0, 1)] * 4 + [right] * 16, gold=gold))

    assert agreeing < 2
    assert copying > agreeing + 5
    assert apart < -2


def test_an_error_that_many_others_make_too_is_no_proof() -> None:
    def said(others: int) -> Answers:
        rows = [(task, worker, 1 if task < 8 else 0) for task in range(24) for worker in (0, 1)]
        rows += [
            (task, worker, 1 if task < 8 and worker < 2 + others else 0)
            for task in range(24)
            for worker in range(2, 12)
        ]
        return Answers.of(rows, classes=3, workers=range(12), gold=dict.fromkeys(range(24), 0))

    assert score_of(said(6)) < score_of(said(0)) - 3


def test_scores_of_batches_add_up_to_the_score_of_all() -> None:
    scene = seen(a_crowd(tasks=40, gold=10)[0])
    whole = likeness.pairs(scene)
    parts = likeness.merged(likeness.pairs(scene, range(15)), likeness.pairs(scene, range(15, 40)))

    assert np.array_equal(whole.first, parts.first)
    assert np.array_equal(whole.second, parts.second)
    assert np.array_equal(whole.shared, parts.shared)
    assert np.array_equal(whole.same, parts.same)
    assert whole.sums == pytest.approx(parts.sums)
    assert len(likeness.pairs(scene, [])) == 0


def test_neither_the_order_of_answers_nor_the_number_of_a_worker_matters() -> None:
    answers = made_up(3, 60, 1).answers
    rng = np.random.default_rng(0)
    shuffled, number = rng.permutation(len(answers)), rng.permutation(answers.n_workers)
    other = Answers(
        answers.task_index[shuffled],
        number[answers.worker_index[shuffled]],
        answers.label_index[shuffled],
        n_tasks=answers.n_tasks,
        n_workers=answers.n_workers,
        n_classes=3,
        gold=answers.gold,
    )
    (found,), (renamed,) = read(answers)[2], read(other)[2]

    assert {int(number[member]) for member in found.members} == set(renamed.members)
    assert found.score == pytest.approx(renamed.score)


def test_a_worker_who_answers_a_task_twice_is_no_pair() -> None:
    answers = Answers.of([(0, 0, 1), (0, 0, 1), (0, 1, 1)], classes=2, workers=range(2))
    found = likeness.pairs(seen(answers))

    assert np.all(found.first < found.second)


def test_a_ring_is_found_whole_where_its_pairs_alone_are_not() -> None:
    found = of_rings(2, 80, range(6))

    assert found["recall"] >= 0.95
    assert found["recall_of_pairs_alone"] < 0.95
    assert found["innocents_per_1000"] <= 1.5


def test_a_crowd_without_a_ring_has_none() -> None:
    assert (
        sum(len(read(made_up(classes, 150, seed, copied=0).answers)[2]) for classes in (2, 4) for seed in range(5)) == 0
    )


def test_the_source_is_the_one_the_others_agree_with() -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(4, size=120)
    rows = []
    for task in range(120):
        source = int(truth[task] if rng.random() < 0.6 else rng.integers(4))
        rows.append((task, 5, source))
        rows += [(task, worker, source if rng.random() < 0.7 else int(rng.integers(4))) for worker in (2, 8)]
        rows += [
            (task, worker, int(truth[task] if rng.random() < 0.8 else rng.integers(4)))
            for worker in (0, 1, 3, 4, 6, 7, 9)
        ]
    (found,) = read(Answers.of(rows, classes=4, workers=range(10)))[2]

    assert found.members == (2, 5, 8)
    assert found.source == 5
    assert found.shared == 360
    assert found.margin >= np.log(1 / rings.ALPHA)


def test_pairs_with_few_tasks_in_common_are_left_alone() -> None:
    def with_slips(count: int) -> Answers:
        rows = [(task, worker, 1) for task in range(count) for worker in (0, 1)]
        rows += [(task, task % 2, 0) for task in range(count, 80)]
        rows += [(task, worker, 0) for task in range(80) for worker in range(2, 8)]
        return Answers.of(rows, classes=3, workers=range(8), gold=dict.fromkeys(range(80), 0))

    assert read(with_slips(likeness.SHARED_MIN - 1))[2] == ()
    assert [ring.members for ring in read(with_slips(likeness.SHARED_MIN + 1))[2]] == [(0, 1)]


def by_hand(scene: Scene, members: tuple[int, ...], task: int) -> tuple[FloatArray, FloatArray, dict[int, FloatArray]]:
    """Belief (K,) and common answers (K,) of everybody else, and P(label | class) (K,) of each member, of one task."""
    belief, votes = np.log(scene.prior), likeness._VOTES_PRIOR * scene.usual
    rows = np.flatnonzero(scene.task == task)
    for row in rows:
        if scene.worker[row] not in members:
            belief = belief + likeness.TEMPER * np.log(scene.likely[row])
            votes = votes + np.eye(len(votes))[scene.label[row]]
    shares, common = np.exp(belief) / np.exp(belief).sum(), votes / votes.sum()
    says = {
        int(scene.worker[row]): (1 - likeness.COMMON) * scene.likely[row] + likeness.COMMON * common[scene.label[row]]
        for row in rows
    }
    return shares, common, {worker: says[worker] for worker in members if worker in says}


def label_of(scene: Scene, task: int, worker: int) -> int:
    return int(scene.label[(scene.task == task) & (scene.worker == worker)][0])


def test_a_pair_is_judged_by_everybody_else_as_by_hand() -> None:
    scene = seen(a_crowd(tasks=40, workers=9, overlap=5)[0])
    found = likeness.pairs(scene)
    sums = np.zeros(2 * len(likeness.COPY_RATES))
    for task in range(40):
        belief, _, says = by_hand(scene, (2, 6), task)
        if len(says) < 2:
            continue
        both = (belief * says[2] * says[6]).sum()
        given = [both / (belief * says[worker]).sum() for worker in (2, 6)]
        same = label_of(scene, task, 2) == label_of(scene, task, 6)
        sums += [
            np.log(rate * same / np.clip(one, likeness.LIKELY_MIN, likeness.LIKELY_MAX) + 1 - rate)
            for one in given
            for rate in likeness.COPY_RATES
        ]

    assert found.sums[(found.first == 2) & (found.second == 6)][0] == pytest.approx(sums)


def test_a_ring_is_judged_by_everybody_else_as_by_hand() -> None:
    scene = seen(a_crowd(tasks=40, workers=9, overlap=6)[0])
    members = (1, 4, 7)
    scores = np.zeros((3, len(likeness.COPY_RATES)))
    for task in range(40):
        belief, _, says = by_hand(scene, members, task)
        held = {worker: np.clip(one, likeness.LIKELY_MIN, likeness.LIKELY_MAX) for worker, one in says.items()}
        alone = (belief * np.prod(list(held.values()), axis=0)).sum() if held else 1.0
        for place, source in enumerate(members):
            for column, rate in enumerate(likeness.COPY_RATES):
                if source not in held or len(held) < 2:
                    continue
                product = belief * held[source]
                for worker in held.keys() - {source}:
                    same = label_of(scene, task, worker) == label_of(scene, task, source)
                    product = product * (rate * same + (1 - rate) * held[worker])
                scores[place, column] += np.log(product.sum() / alone)

    judged = rings._judged(scene, members, 2.0)
    assert judged.score == pytest.approx(float(np.log(np.exp(scores).mean())))
    assert judged.margin == pytest.approx(judged.score - 2)
    assert judged.source == members[int(np.argmax(np.exp(scores).mean(axis=1)))]


def test_likeness_alone_never_leads_to_a_review_and_a_signal_alone_to_nothing() -> None:
    assert rings.tier(PAIR) == Tier.WATCH
    assert rings.tier(PAIR, signals=["in step"]) == Tier.REVIEW
    assert rings.tier(None, signals=["same device"]) == Tier.NONE


def test_two_who_take_tasks_in_one_order_are_in_step() -> None:
    rng = np.random.default_rng(0)
    times = rng.random(40)

    assert rings.in_step(times, times + 5) > rings.STEP_MIN
    assert rings.in_step(times, -times) < -rings.STEP_MIN
    chance = [rings.in_step(times, rng.permutation(times)) for _ in range(400)]
    assert np.std(chance) == pytest.approx(1, abs=0.12)
    assert rings.in_step(times[:5], times[:5]) == 0
    with pytest.raises(ValueError, match="equal length"):
        rings.in_step([1.0, 2.0], [1.0])


def test_where_everybody_is_in_step_nobody_stands_out() -> None:
    assert rings.stands_out(8.0, [0.3, -1.0])
    assert rings.stands_out(8.0, [])
    assert not rings.stands_out(8.0, [9.0])
    assert not rings.stands_out(4.0, [0.3])


def test_a_ring_counts_as_one_voice_the_most_frequent_of_its_answers() -> None:
    rows = [(0, 1, 0), (0, 2, 1), (0, 3, 1), (0, 4, 0), (1, 2, 1), (1, 4, 1), (2, 0, 0), (2, 3, 0), (2, 1, 1)]
    answers = Answers.of(rows, classes=2, workers=range(5), gold={2: 0})
    ring = Ring(members=(1, 2, 3), source=2, score=9, margin=9, shared=3, same=1)
    one = rings.as_one(answers, [ring])

    left = sorted(zip(one.task_index.tolist(), one.worker_index.tolist(), one.label_index.tolist(), strict=True))
    assert left == [(0, 2, 1), (0, 4, 0), (1, 2, 1), (1, 4, 1), (2, 0, 0), (2, 2, 1)]
    assert np.array_equal(one.gold, answers.gold)
    assert len(rings.as_one(answers, [])) == len(answers)


def test_counting_a_ring_once_and_asking_others_repairs_the_labels() -> None:
    found = of_rings(4, 150, range(4))

    assert found["accuracy_untreated"] < found["accuracy_without_ring"] - 0.03
    assert found["accuracy_refilled"] >= found["accuracy_without_ring"] - 0.005


def test_beliefs_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="posterior has shape"):
        likeness.scene(a_crowd()[0], np.ones((3, 2)))
