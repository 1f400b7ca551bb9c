"""Few centers: the jackknife and the gamma frailty against R (AN-03, AN-04)."""

from pathlib import Path

import numpy as np
import pytest

from analysis.center_effects import jackknife
from analysis.cox import cox
from analysis.frailty import frailty
from tests.analysis import r

pytestmark = pytest.mark.skipif(not r.installed(), reason=r.WHY_NOT)


def patients(seed: int, n: int = 400, centers: int = 12) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    center, x = random.integers(0, centers, n), random.integers(0, 2, n)
    onset = np.ceil(random.exponential(300 / (random.gamma(2, 0.5, centers)[center] * np.exp(-0.4 * x))))
    return {
        "time": np.minimum(onset, 600), "event": (onset < 600).astype(int), "x": x, "center": center,
        "stratum": random.integers(0, 3, n), "weight": random.uniform(0.2, 1.5, n),
    }  # fmt: skip


@pytest.mark.parametrize("seed", [1, 5])
def test_frailty_is_that_of_r(seed: int, tmp_path: Path) -> None:
    """R's search for the variance stops early: its coefficient to four digits; near its variance ours is the more likely one."""
    d = patients(seed)
    known = r.run(tmp_path, d, """
f <- coxph(Surv(time, event) ~ x + frailty(center, distribution = "gamma", sparse = FALSE, eps = 1e-10), data = d,
  control = coxph.control(eps = 1e-12, toler.chol = 1e-13, outer.max = 200, iter.max = 100))
out$fit <- c(coef(f)[[1]], sqrt(f$var[1, 1])); out$variance <- f$history[[1]]$theta
""")  # fmt: skip
    found = frailty(d["x"], d["time"], d["event"], d["center"])
    np.testing.assert_allclose([found.coef, found.standard_error], known["fit"], rtol=1e-4)
    assert found.variance == pytest.approx(known["variance"][0], rel=2e-3)


def test_without_a_difference_between_centers_the_frailty_goes(tmp_path: Path) -> None:
    """The same patients in every center: variance 0, and the plain Cox coefficient."""
    d = patients(3, n=100, centers=2)
    copies = {name: np.tile(d[name], 4) for name in ("time", "event", "x")}
    found = frailty(**copies, center=np.repeat(np.arange(4), 100))
    assert found.variance < 1e-5
    assert found.coef == pytest.approx(float(cox(copies["x"], copies["time"], copies["event"]).coef[0]), abs=1e-6)


def test_jackknife_of_centers_is_rs_loop_with_students_quantile(tmp_path: Path) -> None:
    d = patients(7)
    known = r.run(tmp_path, d, """
b <- coef(coxph(Surv(time, event) ~ x, d, control = tight))
w <- sapply(unique(d$center), function(k) coef(coxph(Surv(time, event) ~ x, d[d$center != k, ], control = tight)))
k <- length(w); se <- sqrt((k - 1) / k * sum((w - mean(w))^2)); out$limits <- exp(b + c(0, -1, 1) * qt(0.975, k - 1) * se)
""")  # fmt: skip
    ratios = []
    for center in (None, *np.unique(d["center"])):
        kept = d["center"] != (-1 if center is None else center)
        ratios.append(float(cox(d["x"][kept], d["time"][kept], d["event"][kept]).hazard_ratio[0]))
    np.testing.assert_allclose(jackknife(ratios[0], ratios[1:]), known["limits"], rtol=1e-9)


def test_two_centers_are_too_few() -> None:
    with pytest.raises(ValueError, match="three of them"):
        jackknife(0.8, [0.7, 0.9])
