"""The other rules of the registered sensitivity analyses, and how the columns that they need are named in an opening cut (TX-02). Pure."""

from dataclasses import replace

from analysis.strategy import Rule

PREFIX = "alt_"
"""What the names of such columns begin with, so that none is mistaken for a confounder."""
FREE_UNTIL = f"{PREFIX}free_until"
"""The last day known free of disease before the end of recurrence-free survival (EP-07)."""
CHECKS = f"{PREFIX}checks"
"""The days from surgery of adequate checks until recurrence-free survival ends, with spaces between (EP-08)."""
WINDOW = 120
"""The longer window: systemic therapy often starts in weeks 10 to 14."""


def rules(rule: Rule) -> dict[str, Rule]:
    """The other rules by the name that their columns carry."""
    longer = replace(rule, window_days=max(WINDOW, rule.window_days), landmark_days=max(WINDOW, rule.landmark_days))
    return {"w120": longer, "haic": replace(rule, haic_is_tace=True)}
