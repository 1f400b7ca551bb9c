"""How strong an unmeasured confounder would have to be to explain a hazard ratio away (VanderWeele and Ding 2017; AN-12)."""

import numpy as np


def e_value(hazard_ratio: float) -> float:
    """The E-value of a hazard ratio > 0 for a common outcome. Raises ValueError otherwise."""
    if not hazard_ratio > 0:
        raise ValueError(f"hazard ratio {hazard_ratio:g} must be positive")
    risk_ratio = (1 - 0.5 ** np.sqrt(hazard_ratio)) / (1 - 0.5 ** np.sqrt(1 / hazard_ratio))
    risk_ratio = max(risk_ratio, 1 / risk_ratio)
    return float(risk_ratio + np.sqrt(risk_ratio * (risk_ratio - 1)))


def e_value_of_limit(lower: float, upper: float) -> float:
    """The E-value of the confidence limit nearer to 1; 1 when the interval holds 1."""
    if lower <= 1 <= upper:
        return 1.0
    return e_value(lower if lower > 1 else upper)
