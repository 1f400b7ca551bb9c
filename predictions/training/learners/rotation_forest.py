"""Rotation Forest (Rodríguez, Kuncheva and Alonso, IEEE TPAMI 2006): each tree sees the features through a rotation of its own.

For each tree the features are split at random into groups of three; each group gets the principal components of three quarters
of the patients of a random choice of classes, all components kept; the blocks make one rotation, and the tree learns all
patients in its axes. Pure.
"""

import numpy as np
from sklearn.tree import DecisionTreeClassifier

from predictions.training.learners import trees
from predictions.training.learners.portable import Ensemble, Portable, Rotated
from predictions.training.measures.intervals import Bools, Floats, Ints

GROUP = 3
SHARE = 0.75


def fit(x: Floats, outcome: Bools, *, n_trees: int, max_depth: int, min_samples_split: int, seed: int) -> Ensemble:
    """`n_trees` rotated trees of features (n, p) and outcomes (n,); the mean of their leaves is the probability."""
    random = np.random.default_rng(seed)
    members: list[Portable] = []
    for _ in range(n_trees):
        center = x.mean(axis=0)
        rotation = _rotation(x - center, outcome, random)
        tree = DecisionTreeClassifier(
            max_depth=max_depth, min_samples_split=min_samples_split, random_state=int(random.integers(2**31 - 1))
        )
        turned = Rotated(center, rotation, trees.CONSTANT)
        tree.fit(turned_features(turned, x), outcome)
        members.append(Rotated(center, rotation, trees.of_classifier(tree)))
    return Ensemble(tuple(members), np.full(n_trees, 1 / n_trees), 0.0, logistic=False)


def turned_features(member: Rotated, x: Floats) -> Floats:
    """The features (n, p) as a member's tree sees them."""
    total = np.zeros((len(x), member.rotation.shape[1]))
    for place in range(x.shape[1]):
        total = total + (x[:, place] - member.center[place])[:, None] * member.rotation[place]
    return total


def _rotation(x: Floats, outcome: Bools, random: np.random.Generator) -> Floats:
    """A block-orthogonal matrix (p, p)."""
    p = x.shape[1]
    order, rotation = random.permutation(p), np.zeros((p, p))
    for start in range(0, p, GROUP):
        group: Ints = order[start : start + GROUP]
        classes = random.random(2) < 0.5
        chosen = np.where(outcome, classes[1], classes[0]) if classes.any() else np.ones(len(x), dtype=np.bool_)
        rows = np.flatnonzero(chosen)
        drawn = random.choice(rows, max(2, int(SHARE * len(rows))))
        part = x[np.ix_(drawn, group)]
        _, axes = np.linalg.eigh(np.atleast_2d(np.cov(part, rowvar=False)))
        rotation[np.ix_(group, group)] = axes[:, ::-1]
    return rotation
