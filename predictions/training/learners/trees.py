"""Trees of scikit-learn and scikit-survival as portable trees. Pure."""

from typing import Any

import numpy as np

from predictions.training.learners.portable import Tree
from predictions.training.measures.intervals import Floats

CONSTANT = Tree(np.array([-1]), np.zeros(1), np.array([-1]), np.array([-1]), np.zeros(1))


def of(fitted: Any, values: Floats) -> Tree:
    """A fitted tree's structure with one value a node."""
    inner = fitted.tree_.children_left >= 0
    return Tree(
        np.where(inner, fitted.tree_.feature, -1).astype(np.int64),
        np.where(inner, fitted.tree_.threshold, 0.0).astype(np.float64),
        fitted.tree_.children_left.astype(np.int64),
        fitted.tree_.children_right.astype(np.int64),
        np.where(inner, 0.0, values),
    )


def of_classifier(fitted: Any) -> Tree:
    """A node's value is the share of patients with the outcome; a tree that saw one class only is that class."""
    values = fitted.tree_.value[:, 0, :]
    if len(fitted.classes_) == 1:
        return of(fitted, np.full(len(values), float(fitted.classes_[0])))
    return of(fitted, values[:, 1] / values.sum(axis=1))


def of_votes(fitted: Any) -> Tree:
    """A node's value is the vote, +1 for the outcome and −1 against; equal shares vote against, as the first class."""
    values = fitted.tree_.value[:, 0, :]
    if len(fitted.classes_) == 1:
        return of(fitted, np.full(len(values), 2.0 * float(fitted.classes_[0]) - 1))
    return of(fitted, np.where(values[:, 1] > values[:, 0], 1.0, -1.0))


def of_regressor(fitted: Any) -> Tree:
    """A node's value is the tree's prediction there."""
    return of(fitted, fitted.tree_.value.reshape(len(fitted.tree_.feature), -1)[:, 0])
