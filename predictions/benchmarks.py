"""How fast the measures of models are beside scikit-survival: ratios between programs run in turn in one run."""

from statistics import median
from time import process_time
from typing import Any

import numpy as np
from sksurv.metrics import brier_score, concordance_index_censored, cumulative_dynamic_auc, integrated_brier_score
from sksurv.util import Surv
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from predictions.training import synthetic, table, trainer
from predictions.training.measures import resampled
from predictions.training.measures.resampled import Followed

Row = dict[str, Any]
PATIENTS, SAMPLES, SHOWN = 1_000, 1_000, 20
DAYS = np.array([182.6, 365.25, 730.5, 1095.75])


def models(seed: int = 1) -> list[Row]:
    """Rows {task, n, tool, seconds, ratio, difference} in processor seconds on one thread: 1,000 bootstrap samples of C, and of C with
    AUC(t) and integrated Brier score, of which scikit-survival does the first 20 and 3; and the training of the strategy model.
    """
    with threadpool_limits(1):
        return [*bootstrap(seed), _training(seed)]


def bootstrap(seed: int) -> list[Row]:
    """The rows of the bootstrap, ours and theirs."""
    time, event, risk = _patients(seed)
    survival = np.exp(-np.outer(np.exp(0.5 * risk), DAYS / DAYS[-1]))
    ours_c, (drawn, found) = _timed(lambda: _ours_c(time, event, risk, seed), times=5)
    ours_all, _ = _timed(lambda: _ours_all(time, event, risk, survival, seed), times=3)
    samples = [np.repeat(np.arange(PATIENTS), counts.astype(int)) for counts in drawn.counts[:SHOWN]]
    theirs_c, expected = _timed(lambda: [concordance_index_censored(event[s], time[s], risk[s])[0] for s in samples])
    theirs_all, _ = _timed(lambda: [_theirs_all(time[s], event[s], risk[s], survival[s]) for s in samples[:3]])
    apart = max(abs(one - other) for one, other in zip(found[:SHOWN], expected, strict=True))
    scale = SAMPLES / SHOWN
    return [
        _row("C x 1,000", "ours", ours_c, ours_c, 0.0),
        _row("C x 1,000", "scikit-survival", theirs_c * scale, ours_c, apart),
        _row("C + AUC(t) + IBS x 1,000", "ours", ours_all, ours_all, 0.0),
        _row("C + AUC(t) + IBS x 1,000", "scikit-survival", theirs_all * SAMPLES / 3, ours_all, None),
    ]


def _training(seed: int) -> Row:
    frame = synthetic.table(PATIENTS, seed=seed, images=False)
    rows = table.of_frame(frame, sha256="0" * 64, landmark=90, modalities=("clinical",))
    seconds, _ = _timed(lambda: trainer.train(rows, tier="0", landmark=90, margin=0.03, seed=seed, replicates=25))
    return _row("strategy model, 25 refits", "ours", seconds, seconds, None)


def _ours_c(time: Any, event: Any, risk: Any, seed: int) -> tuple[Followed, Any]:
    drawn = Followed.drawn(time, event, samples=SAMPLES, seed=seed)
    return drawn, resampled.concordance(drawn, risk)[0]


def _ours_all(time: Any, event: Any, risk: Any, survival: Any, seed: int) -> Any:
    drawn = Followed.drawn(time, event, samples=SAMPLES, seed=seed)
    scores = resampled.integrated(resampled.brier(drawn, survival, DAYS), DAYS)
    return resampled.concordance(drawn, risk), resampled.areas(drawn, risk, DAYS), scores


def _theirs_all(time: Any, event: Any, risk: Any, survival: Any) -> Any:
    y = Surv.from_arrays(event, time)
    c = concordance_index_censored(event, time, risk)[0]
    brier_score(y, y, survival, DAYS)
    return c, cumulative_dynamic_auc(y, y, risk, DAYS), integrated_brier_score(y, y, survival, DAYS)


def _patients(seed: int) -> tuple[Any, Any, Any]:
    random = np.random.default_rng(seed)
    risk = random.normal(size=PATIENTS)
    onset, censored = random.exponential(900 * np.exp(-0.7 * risk)), random.uniform(200, 2200, PATIENTS)
    return np.ceil(np.minimum(onset, censored)), onset <= censored, risk


def _timed(what: Any, times: int = 1) -> tuple[float, Any]:
    seconds = []
    for _ in range(times):
        began = process_time()
        found = what()
        seconds.append(process_time() - began)
    return median(seconds), found


def _row(task: str, tool: str, seconds: float, ours: float, difference: float | None) -> Row:
    return {"task": task, "n": PATIENTS, "tool": tool, "seconds": seconds, "ratio": seconds / ours, "difference": difference}
