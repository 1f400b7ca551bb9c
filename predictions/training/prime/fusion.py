"""Late fusion: one answer from the branches, with weights frozen from training rows that no branch had seen (PM-01, PM-02). Pure."""

import itertools
from dataclasses import dataclass

import numpy as np

from predictions.training.learners import classifiers
from predictions.training.learners.portable import Linear
from predictions.training.measures import proportional
from predictions.training.measures.intervals import Bools, Floats
from predictions.training.measures.resampled import Followed, concordance

TEMPERATURE = 0.1


@dataclass(frozen=True)
class Averaged:
    """Σ weight · (risk − mean) / sd over the branches."""

    mean: Floats
    sd: Floats
    weights: Floats

    def predict(self, risks: Floats) -> Floats:
        """Fused risks (n,) of the branches' risks (n, branches)."""
        total = np.zeros(len(risks))
        for place in range(risks.shape[1]):
            total = total + self.weights[place] * ((risks[:, place] - self.mean[place]) / self.sd[place])
        return total


def of_response(out_of_fold: Floats, outcome: Bools, *, strength: float) -> Linear:
    """A logistic model of out-of-fold probabilities (n, branches); a branch that runs the wrong way there is left out (Breiman 1996)."""
    kept = np.arange(out_of_fold.shape[1])
    while len(kept):
        fitted = classifiers.logistic_model(out_of_fold[:, kept], outcome, strength)
        if (fitted.coefficients >= 0).all():
            break
        kept = kept[fitted.coefficients >= 0]
    coefficients = np.zeros(out_of_fold.shape[1])
    if not len(kept):
        return Linear(coefficients, classifiers.log_odds(float(outcome.mean())), logistic=True)
    coefficients[kept] = fitted.coefficients
    return Linear(coefficients, fitted.intercept, logistic=True)


def of_survival(out_of_fold: Floats, time: Floats, event: Bools, *, weights: str, temperature: float = TEMPERATURE) -> Averaged:
    """z-scored out-of-fold risks (n, branches) with weights by BIC of each alone (PM-02), by exp((C − ½)/temperature), or by the BIC of
    every combination of them (`joint`)."""
    mean, sd = out_of_fold.mean(axis=0), out_of_fold.std(axis=0)
    sd = np.where(sd > 1e-12, sd, 1.0)
    z = (out_of_fold - mean) / sd
    if weights == "softmax":
        return Averaged(mean, sd, by_softmax(z, time, event, temperature))
    return Averaged(mean, sd, by_bic(z, time, event) if weights == "bic" else jointly(z, time, event))


def by_bic(z: Floats, time: Floats, event: Bools) -> Floats:
    """w ∝ exp(−½ (BIC − least BIC)), each risk alone in a Cox model; the number of parameters is the same for all."""
    bic = np.array([-2 * _log_likelihood(time, event, z[:, [place]]) for place in range(z.shape[1])])
    weight = np.exp(-0.5 * (bic - bic.min()))
    return np.asarray(weight / weight.sum())


def jointly(z: Floats, time: Floats, event: Bools) -> Floats:
    """Model-averaged coefficients over Cox models of every subset of the risks, w ∝ exp(−½ BIC), BIC = −2 l + k log(events).

    Risks that complete each other share the answer, where `by_bic` would keep the best one alone (Raftery 1995; Volinsky 1997).
    """
    varying = np.flatnonzero(z.std(axis=0) > 0)
    coefficients, bic = [np.zeros(z.shape[1])], [-2 * proportional.null_log_likelihood(time, event)]
    for size in range(1, len(varying) + 1):
        for subset in itertools.combinations(varying, size):
            fitted = proportional.cox(time, event, z[:, list(subset)])
            if (fitted.coefficients < 0).any():
                continue  # a risk that runs the wrong way in rows it had not seen is no risk
            whole = np.zeros(z.shape[1])
            whole[list(subset)] = fitted.coefficients
            coefficients.append(whole)
            bic.append(-2 * fitted.log_likelihood + size * float(np.log(event.sum())))
    weight = np.exp(-0.5 * (np.array(bic) - min(bic)))
    return np.asarray((weight / weight.sum()) @ np.array(coefficients))


def by_softmax(z: Floats, time: Floats, event: Bools, temperature: float) -> Floats:
    """w ∝ exp((C − ½)/temperature), C in the same training rows; never recomputed elsewhere."""
    patients = Followed.once(time, event)
    c = np.array([concordance(patients, z[:, place])[0][0] for place in range(z.shape[1])])
    weight = np.exp((np.nan_to_num(c, nan=0.5) - 0.5) / temperature)
    return np.asarray(weight / weight.sum())


def _log_likelihood(time: Floats, event: Bools, z: Floats) -> float:
    if float(z.std()) == 0.0:
        return proportional.null_log_likelihood(time, event)
    return proportional.cox(time, event, z).log_likelihood
