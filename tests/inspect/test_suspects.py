"""Labels of many identities, with scores that are given."""

from dataclasses import replace

import numpy as np

from fpsynth.inspect.measure.matching import Scores, draw_pairs
from fpsynth.inspect.measure.record import Record
from fpsynth.inspect.measure.suspects import BOZORTH3, FOLLOWED, Suspicion, label_faults

IDENTITIES = 100


def record(image: int) -> Record:
    name = str(image // 2)
    facts = {"unit": 0, "number": image, "name": str(image), "identity": name, "impression": image % 2}
    return Record(**facts, width=1, height=1, ppi=500, mean=0, deviation=0, pixels=str(image))


def suspicion(table: np.ndarray) -> Suspicion:
    """Two images of each identity; table: the scores of all pairs of images."""
    records = [record(image) for image in range(len(table))]
    pairs, owner = draw_pairs([r.identity for r in records])
    mated, other = (table[tuple(own.T)] for own in (pairs.mated, pairs.non_mated))
    every = np.stack(np.triu_indices(len(table), 1), 1)
    closest = every[owner[every[:, 0]] != owner[every[:, 1]]]

    def compare(more):
        return [float(table[pair]) for pair in more]

    return Suspicion(records, Scores(pairs, mated, other, owner), closest, compare, BOZORTH3)


def scores(matches: dict[tuple[int, int], float]) -> np.ndarray:
    """100 among an identity's own images, 5 among others', and these."""
    table = np.full((2 * IDENTITIES, 2 * IDENTITIES), 5.0)
    for own in range(IDENTITIES):
        table[2 * own, 2 * own + 1] = table[2 * own + 1, 2 * own] = 100
    for (a, b), score in matches.items():
        table[a, b] = table[b, a] = score
    return table


def test_the_best_matches_are_followed_and_not_the_first() -> None:
    chance = {(2 * i, 2 * i + 2): 41.0 for i in range(FOLLOWED + 5)}
    twins = {(a, b): 90.0 for a in (180, 181) for b in (190, 191)}
    (fault,) = label_faults(suspicion(scores(chance | twins)))
    assert (fault.kind, fault.where) == ("shared finger", "90, 95")


def test_the_images_that_fit_their_own_least_are_followed() -> None:
    pale = {(2 * i, 2 * i + 1): 15.0 for i in range(FOLLOWED + 5)}
    known = suspicion(scores(pale | {(180, 181): 0.0, (180, 121): 80.0}))
    undrawn = replace(known.scores, non_mated=np.full_like(known.scores.non_mated, 5))
    (fault,) = label_faults(replace(known, scores=undrawn, closest=np.empty((0, 2), np.int64)))
    assert (fault.kind, fault.where) == ("wrong label", "180")
