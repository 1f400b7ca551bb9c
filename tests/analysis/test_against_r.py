"""R `survival` run live on random data with ties, strata, weights, clusters and late entry (AN-00: computed twice)."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.competing import cumulative_incidence
from analysis.cox import cox
from analysis.fine_gray import fine_gray
from analysis.kaplan_meier import Limits, kaplan_meier
from analysis.logrank import logrank
from analysis.proportional_hazards import proportional_hazards
from analysis.rmst import restricted_mean
from analysis.weighted_curve import weighted_kaplan_meier
from tests.analysis import r

pytestmark = pytest.mark.skipif(not r.installed(), reason=r.WHY_NOT)
DIGITS = 1e-10


def patients(seed: int, n: int = 160) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    x1, x2 = random.normal(size=n), random.integers(0, 2, n)
    relapse, followed = random.exponential(12 * np.exp(-0.5 * x1 + 0.3 * x2)), random.uniform(1, 30, n)
    time = np.ceil(np.minimum(relapse, followed))
    return {
        "time": time, "event": relapse <= followed, "entry": np.floor(time * random.uniform(0, 0.9, n)), "x1": x1, "x2": x2,
        "stratum": random.integers(0, 3, n), "center": random.integers(0, 12, n), "weight": random.uniform(0.2, 3, n),
        "cause": np.where(relapse <= followed, 1 + (random.random(n) < 0.3), 0), "row": np.arange(n),
    }  # fmt: skip


def close(ours: Any, theirs: Any, digits: float = DIGITS) -> None:
    np.testing.assert_allclose(np.asarray(ours, dtype=float).ravel(), theirs, rtol=digits, atol=1e-14)


@pytest.mark.parametrize("seed", [1, 2])
def test_curves_tests_and_means_equal_r(seed: int, tmp_path: Path) -> None:
    """AN-01, AN-02, AN-06, AN-10."""
    d = patients(seed)
    known = r.run(tmp_path, d, """
for (k in c("log", "log-log", "plain")) {
  f <- survfit(Surv(time, event) ~ 1, d, conf.type = k); s <- summary(f, times = c(3, 8, 15)); m <- summary(f)$table
  out[[k]] <- c(s$surv, s$std.err, s$lower, s$upper); out[[paste0("m", k)]] <- m[c("median", "0.95LCL", "0.95UCL")]
}
out$mean <- summary(survfit(Surv(time, event) ~ 1, d), rmean = 12)$table[5:6]
w <- summary(survfit(Surv(time, event) ~ 1, d, weights = weight, robust = TRUE), times = c(3, 8, 15)); out$weighted <- c(w$surv, w$std.err)
out$logrank <- survdiff(Surv(time, event) ~ center + strata(stratum), d)$chisq
a <- summary(survfit(Surv(time, factor(cause)) ~ 1, d), times = c(3, 8, 15)); out$cif <- c(a$pstate[, 2], a$std.err[, 2])
""")  # fmt: skip
    curve = kaplan_meier(d["time"], d["event"])
    kinds: tuple[Limits, ...] = ("log", "log-log", "plain")
    for kind in kinds:
        read = curve.at([3, 8, 15])
        interval = read.interval(kind)
        close([read.survival, read.standard_error, interval.lower, interval.upper], known[kind])
        close([curve.median(), *curve.median_interval(kind)], known[f"m{kind}"])
    mean = restricted_mean(curve, 12)
    close([mean.estimate, mean.standard_error], known["mean"])
    weighted = weighted_kaplan_meier(d["time"], d["event"], d["weight"]).at([3, 8, 15])
    close([weighted.survival, weighted.standard_error], known["weighted"])
    close(logrank(d["time"], d["event"], d["center"], strata=d["stratum"]).statistic, known["logrank"])
    close(cumulative_incidence(d["time"], d["cause"], 1).at([3, 8, 15]), known["cif"])


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("entry", [False, True])
def test_cox_with_everything_at_once_equals_r(ties: Any, entry: bool, tmp_path: Path) -> None:
    """AN-03: strata, weights, late entry; robust errors by row and by cluster with ties, where lifelines and statsmodels depart."""
    d = patients(3)
    surv = "Surv(entry, time, event)" if entry else "Surv(time, event)"
    known = r.run(tmp_path, d, f"""
a <- coxph({surv} ~ x1 + x2 + strata(stratum), d, ties = "{ties}", control = tight)
out$plain <- c(coef(a), sqrt(diag(a$var)), a$loglik)
out$row <- sqrt(diag(coxph({surv} ~ x1 + x2 + strata(stratum), d, ties = "{ties}", control = tight, cluster = row)$var))
e <- coxph({surv} ~ x1 + x2 + strata(stratum), d, weights = weight, ties = "{ties}", control = tight, cluster = center)
out$center <- c(coef(e), sqrt(diag(e$var)), sqrt(diag(e$naive.var)))
z <- cox.zph(a, transform = "identity")$table; out$zph <- z[, "chisq"]
""")  # fmt: skip
    x, common = np.column_stack([d["x1"], d["x2"]]), {"ties": ties, "strata": d["stratum"], "entry": d["entry"] if entry else None}
    plain = cox(x, d["time"], d["event"], robust=True, **common)
    close([*plain.coef, *plain.standard_error, plain.loglik_null, plain.loglik], known["plain"])
    close(plain.robust_standard_error, known["row"])
    weighted = cox(x, d["time"], d["event"], weights=d["weight"], cluster=d["center"], **common)
    close([weighted.coef, weighted.robust_standard_error, weighted.standard_error], known["center"])
    tested = proportional_hazards(plain, transform="identity")
    close([one.statistic for one in (*tested.terms, tested.overall)], known["zph"], 1e-8)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_fine_gray_equals_finegray_and_coxph(ties: Any, tmp_path: Path) -> None:
    """AN-11: and its error by person, where lifelines' is half as large again."""
    d = patients(4)
    known = r.run(tmp_path, d, f"""
f <- finegray(Surv(time, factor(cause)) ~ x1 + x2 + row, d, etype = "1")
m <- coxph(Surv(fgstart, fgstop, fgstatus) ~ x1 + x2, f, weights = fgwt, cluster = row, ties = "{ties}", control = tight)
out$fit <- c(coef(m), sqrt(diag(m$var)), sqrt(diag(m$naive.var)))
""")  # fmt: skip
    fit = fine_gray(np.column_stack([d["x1"], d["x2"]]), d["time"], d["cause"], ties=ties)
    close([fit.coef, fit.robust_standard_error, fit.standard_error], known["fit"])
