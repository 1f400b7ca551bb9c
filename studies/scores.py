"""The calculated items: what a score is from the values recorded in their stored units, or which of them it lacks. Pure.

Arithmetic is decimal with 28 digits; only the finished score is rounded, half to even, to the places of its definition.
A class is taken from the unrounded score, so that ALBI −2.5999 is grade 2 although it shows as −2.600.

Three-valued: where an input is not recorded, or has a missing reason, there is no score and `lacking` names the input. A
censored input (`<20`) says only on which side of its limit the value lies. A number is never computed from it; a class or
stage is, where every value on that side gives the same, and otherwise `censored` names the input. A divisor or logarithm
that arithmetic refuses is named in `impossible`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Protocol

Truth = bool | None
"""True, False, or None where it is not known."""


class Given(Protocol):
    """A recorded value: decimal text or an option's code, with its comparator; empty where a missing reason stands."""

    @property
    def value(self) -> str: ...
    @property
    def comparator(self) -> str: ...


Values = Mapping[str, Given]


@dataclass(frozen=True, slots=True)
class Score:
    """A result as decimal text or class; or none, with the inputs to blame."""

    value: str = ""
    lacking: tuple[str, ...] = ()
    censored: tuple[str, ...] = ()
    impossible: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Calculation:
    """One calculated item: its inputs by item code, the unit of its result, and how it is computed; a class or stage is not numeric."""

    inputs: tuple[str, ...]
    unit: str
    compute: Callable[[Values], Score]
    numeric: bool = True


# ---------- formulas ----------


def albi(bilirubin: Decimal, albumin: Decimal) -> Decimal:
    """ALBI = 0.66·log₁₀(bilirubin µmol/L) − 0.085·albumin g/L (Johnson et al., J Clin Oncol 2015;33:550), not rounded."""
    return Decimal("0.66") * bilirubin.log10() - Decimal("0.085") * albumin


def albi_grade(score: Decimal) -> str:
    """Grade 1 ≤ −2.60 < 2 ≤ −1.39 < 3 (Johnson et al. 2015), of a score that was not rounded."""
    return "1" if score <= Decimal("-2.60") else "2" if score <= Decimal("-1.39") else "3"


def pni(albumin: Decimal, lymphocytes: Decimal) -> Decimal:
    """Prognostic nutritional index = albumin g/L + 5·lymphocytes 10⁹/L (Onodera et al. 1984, in SI units)."""
    return albumin + 5 * lymphocytes


def ratio(numerator: Decimal, denominator: Decimal) -> Decimal:
    """NLR, PLR and LMR: one count over another, both in 10⁹/L."""
    return numerator / denominator


def sii(platelets: Decimal, neutrophils: Decimal, lymphocytes: Decimal) -> Decimal:
    """Systemic immune-inflammation index = platelets·neutrophils/lymphocytes, each 10⁹/L (Hu et al., Clin Cancer Res 2014;20:6212)."""
    return platelets * neutrophils / lymphocytes


def fib4(age: Decimal, ast: Decimal, platelets: Decimal, alt: Decimal) -> Decimal:
    """FIB-4 = age·AST / (platelets 10⁹/L · √ALT), enzymes in U/L (Sterling et al., Hepatology 2006;43:1317)."""
    return age * ast / (platelets * alt.sqrt())


def apri(ast: Decimal, ast_upper_limit: Decimal, platelets: Decimal) -> Decimal:
    """APRI = (AST / its upper limit) · 100 / platelets 10⁹/L (Wai et al., Hepatology 2003;38:518)."""
    return ast / ast_upper_limit * 100 / platelets


def relative_change(before: Given, after: Given) -> Score:
    """One-month relative change (v₁ − v₀)/v₀ of an item, four places; a change from 0 or of a censored value is no number."""
    return _number("before after", lambda v0, v1: (v1 - v0) / v0, 4)({"before": before, "after": after})


# ---------- what is known of the inputs ----------


class _Facts:
    """Questions to the values; what could not be answered is remembered in `lacking` and `censored`."""

    def __init__(self, values: Values) -> None:
        self.values = values
        self.lacking: list[str] = []
        self.censored: list[str] = []

    def exact(self, code: str) -> Decimal | None:
        """The number of an item, or None where there is none or only its limit is known."""
        text, comparator = self._recorded(code)
        if text and comparator:
            self.censored.append(code)
        return Decimal(text) if text and not comparator else None

    def at_least(self, code: str, limit: str) -> Truth:
        """Whether a number is ≥ `limit`."""
        below = self._side(code, Decimal(limit), closed=False)
        return None if below is None else not below

    def at_most(self, code: str, limit: str) -> Truth:
        """Whether a number is ≤ `limit`."""
        return self._side(code, Decimal(limit), closed=True)

    def equals(self, code: str, *options: str) -> Truth:
        """Whether the answer to a question is one of `options`; "not reported" is not known."""
        text, _ = self._recorded(code)
        return text in options if text else None

    def choose(self, code: str, points: Mapping[str, int]) -> int | None:
        """What the answer to a question counts; an answer that is not in the table is not known."""
        text, _ = self._recorded(code)
        if text and text not in points:
            self.lacking.append(code)
        return points.get(text)

    def invaded(self, code: str) -> Truth:
        """Whether a vessel has a tumour thrombus: any class but "none"."""
        none = self.equals(code, "none")
        return None if none is None else not none

    def _recorded(self, code: str) -> tuple[str, str]:
        given = self.values.get(code)
        text = given.value if given else ""
        if given and text not in ("", "not_reported", "unknown"):
            return text, given.comparator
        if code in CALCULATIONS and not given:
            return self._calculated(code), ""
        self.lacking.append(code)
        return "", ""

    def _calculated(self, code: str) -> str:
        score = CALCULATIONS[code].compute(self.values)
        self.lacking += score.lacking
        self.censored += score.censored
        return score.value

    def _side(self, code: str, limit: Decimal, *, closed: bool) -> Truth:
        """Whether the number lies below `limit`, or on it where `closed`; None where its comparator leaves that open."""
        text, comparator = self._recorded(code)
        if not text:
            return None
        number = Decimal(text)
        on_it = closed if comparator in ("", "<=", ">=") else comparator == "<"
        below = number < limit or (number == limit and on_it)
        certain = comparator == "" or (comparator[0] == "<" and below) or (comparator[0] == ">" and not below)
        if not certain:
            self.censored.append(code)
        return below if certain else None


def any_of(*truths: Truth) -> Truth:
    """Kleene's or."""
    return True if True in truths else None if None in truths else False


def all_of(*truths: Truth) -> Truth:
    """Kleene's and."""
    return False if False in truths else None if None in truths else True


# ---------- numbers ----------


def _number(codes: str, formula: Callable[..., Decimal], places: int) -> Callable[[Values], Score]:
    """A score that is a number: every input exact, or there is none."""
    names = tuple(codes.split())

    def compute(values: Values) -> Score:
        facts = _Facts(values)
        numbers = [facts.exact(code) for code in names]
        if facts.lacking or facts.censored:
            return Score(lacking=_once(facts.lacking), censored=_once(facts.censored))
        with localcontext() as context:
            context.prec = 28
            try:
                found = formula(*numbers)
            except ArithmeticError:
                found = Decimal("NaN")
            if not found.is_finite():
                return Score(impossible=_not_positive(names, numbers))
            return Score(value=format(found.quantize(Decimal(1).scaleb(-places)), "f"))

    return compute


def _not_positive(names: tuple[str, ...], numbers: list[Decimal | None]) -> tuple[str, ...]:
    return tuple(code for code, number in zip(names, numbers, strict=True) if number is not None and number <= 0)


def _albi_grade(values: Values) -> Score:
    score = _number("bilirubin albumin", albi, 20)(values)
    return Score(albi_grade(Decimal(score.value))) if score.value else score


# ---------- Child-Pugh ----------

_ASCITES = {"none": 1, "mild": 2, "moderate": 3}
_ENCEPHALOPATHY = {"none": 1, "grade_1_2": 2, "grade_3_4": 3}

_POINTS: dict[str, Callable[[_Facts], int | None]] = {
    "bilirubin": lambda facts: _graded(facts.at_least("bilirubin", "34"), facts.at_most("bilirubin", "51")),
    "albumin": lambda facts: _graded(facts.at_most("albumin", "35"), facts.at_least("albumin", "28")),
    "inr": lambda facts: _graded(facts.at_least("inr", "1.7"), facts.at_most("inr", "2.3")),
    "ascites": lambda facts: facts.choose("ascites", _ASCITES),
    "encephalopathy": lambda facts: facts.choose("encephalopathy", _ENCEPHALOPATHY),
}
"""The points of each of the five signs, or None where they are not known."""


def _graded(beyond_one: Truth, within_two: Truth) -> int | None:
    """1 point up to the first limit, 2 up to the second, 3 beyond it."""
    if beyond_one is False:
        return 1
    if within_two is False:
        return 3
    return 2 if beyond_one and within_two else None


def _child_pugh_points(values: Values) -> Score:
    """Child-Pugh points (Pugh et al., Br J Surg 1973;60:646; limits in SI units as in China's guideline for liver cancer, 2024).

    1, 2, 3 points: bilirubin < 34, 34-51, > 51 µmol/L; albumin > 35, 28-35, < 28 g/L; INR < 1.7, 1.7-2.3, > 2.3; ascites none,
    mild, moderate or more; encephalopathy none, grade 1-2, grade 3-4.
    """
    facts = _Facts(values)
    points = [found for judge in _POINTS.values() if (found := judge(facts)) is not None]
    if len(points) < len(_POINTS):
        return Score(lacking=_once(facts.lacking), censored=_once(facts.censored))
    return Score(str(sum(points)))


def _child_pugh_class(values: Values) -> Score:
    """A 5-6, B 7-9, C 10-15 points."""
    points = _child_pugh_points(values)
    if not points.value:
        return points
    return Score("A" if int(points.value) <= 6 else "B" if int(points.value) <= 9 else "C")


# ---------- stages ----------

Steps = tuple[tuple[str, Callable[[_Facts], Truth]], ...]

CNLC: Steps = (
    ("IV", lambda facts: any_of(facts.at_least("ecog", "3"), facts.equals("child_pugh_class", "C"))),
    ("IIIb", lambda facts: facts.equals("extrahepatic", "yes")),
    ("IIIa", lambda facts: any_of(facts.invaded("pvtt"), facts.invaded("hvtt"))),
    ("IIb", lambda facts: facts.at_least("tumour_number", "4")),
    ("Ia", lambda facts: all_of(facts.at_most("tumour_number", "1"), facts.at_most("tumour_diameter_cm", "5"))),
    ("Ib", lambda facts: any_of(facts.at_most("tumour_number", "1"), facts.at_most("tumour_diameter_cm", "3"))),
    ("IIa", lambda facts: True),
)
"""China liver cancer staging (guideline 2024): Ia one ≤ 5 cm; Ib one > 5 cm, or 2-3 ≤ 3 cm; IIa 2-3 > 3 cm; IIb ≥ 4; IIIa vessels;
IIIb outside the liver; IV performance status 3-4 or Child-Pugh C. The first that holds, from above; the ones before must be known not to.
"""

BCLC: Steps = (
    ("D", lambda facts: any_of(facts.at_least("ecog", "3"), facts.equals("child_pugh_class", "C"))),
    (
        "C",
        lambda facts: any_of(
            facts.invaded("pvtt"), facts.invaded("hvtt"), facts.equals("extrahepatic", "yes"), facts.at_least("ecog", "1")
        ),
    ),
    ("0", lambda facts: all_of(facts.at_most("tumour_number", "1"), facts.at_most("tumour_diameter_cm", "2"))),
    (
        "A",
        lambda facts: any_of(
            facts.at_most("tumour_number", "1"), all_of(facts.at_most("tumour_number", "3"), facts.at_most("tumour_diameter_cm", "3"))
        ),
    ),
    ("B", lambda facts: True),
)
"""BCLC 2022 (Reig et al., J Hepatol 2022;76:681): 0 one ≤ 2 cm; A one of any size, or 2-3 ≤ 3 cm; B more; C vessels, spread or performance
status 1-2; D performance status 3-4 or Child-Pugh C.
"""


def _stage(steps: Steps) -> Callable[[Values], Score]:
    def compute(values: Values) -> Score:
        for stage, holds in steps:
            facts = _Facts(values)
            truth = holds(facts)
            if truth:
                return Score(stage)
            if truth is None:
                return Score(lacking=_once(facts.lacking), censored=_once(facts.censored))
        raise AssertionError("the last stage holds for all that are left")

    return compute


def _once(codes: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(codes))


_SIGNS = tuple(_POINTS)
_TUMOUR = ("tumour_number", "tumour_diameter_cm", "pvtt", "hvtt", "extrahepatic", "ecog")

CALCULATIONS: dict[str, Calculation] = {
    "albi": Calculation(("bilirubin", "albumin"), "", _number("bilirubin albumin", albi, 3)),
    "albi_grade": Calculation(("bilirubin", "albumin"), "", _albi_grade),
    "pni": Calculation(("albumin", "lymphocytes"), "", _number("albumin lymphocytes", pni, 2)),
    "nlr": Calculation(("neutrophils", "lymphocytes"), "", _number("neutrophils lymphocytes", ratio, 2)),
    "plr": Calculation(("platelets", "lymphocytes"), "", _number("platelets lymphocytes", ratio, 1)),
    "lmr": Calculation(("lymphocytes", "monocytes"), "", _number("lymphocytes monocytes", ratio, 2)),
    "sii": Calculation(("platelets", "neutrophils", "lymphocytes"), "10⁹/L", _number("platelets neutrophils lymphocytes", sii, 1)),
    "fib4": Calculation(("age_at_surgery", "ast", "platelets", "alt"), "", _number("age_at_surgery ast platelets alt", fib4, 2)),
    "apri": Calculation(("ast", "ast_upper_limit", "platelets"), "", _number("ast ast_upper_limit platelets", apri, 2)),
    "child_pugh_points": Calculation(_SIGNS, "", _child_pugh_points),
    "child_pugh_class": Calculation(_SIGNS, "", _child_pugh_class, numeric=False),
    "cnlc_stage": Calculation((*_TUMOUR, *_SIGNS), "", _stage(CNLC), numeric=False),
    "bclc_stage": Calculation((*_TUMOUR, *_SIGNS), "", _stage(BCLC), numeric=False),
}
"""Calculated item → how. `age_at_surgery` comes from screening, `ast_upper_limit` from the center's reference range."""


def compute(code: str, values: Values) -> Score:
    """The calculated item `code` of what is recorded. Raises KeyError for an item nobody defined."""
    return CALCULATIONS[code].compute(values)
