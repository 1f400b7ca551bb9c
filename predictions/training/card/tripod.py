"""The items of TRIPOD+AI (BMJ 2024;385:e078378) that a training can fill, by number; the rest is named as people's work. Pure."""

from collections.abc import Mapping
from typing import Any

from predictions.training.card.words import Language, word

PEOPLE = "1, 2, 3, 4, 5a, 6b, 8c, 10, 13, 14, 17, 18a–18e, 19, 25, 26, 27"


def items(report: Mapping[str, Any], language: Language, *, public: bool) -> list[tuple[str, str]]:
    """(number, content) of each item that this run fills, and last the numbers that people fill."""
    zh = language == "zh"
    found = [
        ("6a", _centers(report, zh=zh)),
        ("7", _preparation(report, zh=zh)),
        ("8a", _outcome(report, zh=zh)),
        ("9b", _predictors(report, zh=zh)),
        ("11", _missing(report, zh=zh, public=public)),
        ("12c", _building(report, zh=zh, public=public)),
        ("12e, 23a", _judged(report["held_out"], zh=zh)),
        ("12d, 23b", "各中心表格见上" if zh else "by center as above"),
        ("12f, 24", "未作更新" if zh else "no updating"),
        ("12g", _identity(report, zh=zh)),
        ("15", _output(report, zh=zh)),
        ("18f", f"SHA-256 {report.get('program_sha256', word('not_said', language))}"),
        ("21", f"n = {report['n']}, " + (f"事件 {report['events']}" if zh else f"{report['events']} events")),
        ("22", "数字形式的模型文件，仅在推断主机保存" if zh else "a file of plain numbers, kept on the inference host alone"),
    ]
    return [*found, (PEOPLE, word("people", language))]


def _centers(report: Mapping[str, Any], *, zh: bool) -> str:
    centers = report.get("centers") or {name: each["n"] for name, each in report.get("by_center", {}).items()}
    shown = ", ".join(f"{name} ({n})" for name, n in centers.items())
    return f"{len(centers)} 个中心：{shown}" if zh else f"{len(centers)} centers: {shown}"


def _preparation(report: Mapping[str, Any], *, zh: bool) -> str:
    if zh:
        return "训练折内：缺失超过 30% 的特征剔除、中位数插补、方差过滤、z 分数"
    return "inside the training folds: features missing in more than 30 % dropped, median imputation, variance filter, z-scores"


def _outcome(report: Mapping[str, Any], *, zh: bool) -> str:
    said = {
        "prime-r": ("三个月 mRECIST CR 或 PR", "mRECIST CR or PR at three months"),
        "prime-s": (f"总生存，自第 {report.get('landmark', 0)} 天起", f"overall survival from day {report.get('landmark', 0)}"),
        "strategy": (
            "切除后无复发，12/24/36 个月，自里程碑起",
            "recurrence-free at 12, 24 and 36 months from resection, given the landmark",
        ),
    }
    return said[report["model"]][0 if zh else 1]


def _predictors(report: Mapping[str, Any], *, zh: bool) -> str:
    count = report.get("candidates", 0)
    return f"{count} 个候选特征，治疗前或里程碑时点取得" if zh else f"{count} candidate features, taken before treatment or at the landmark"


def _missing(report: Mapping[str, Any], *, zh: bool, public: bool) -> str:
    missing = report.get("missing", {})
    if public and (count := report["missing_features"]):
        return (
            f"{count} 个特征有缺失；冻结的训练中位数插补"
            if zh
            else f"{count} features have missing values; frozen training medians stand in"
        )
    if not missing:
        return "无缺失" if zh else "nothing missing"
    worst = max(missing, key=lambda name: missing[name])
    if zh:
        return f"{len(missing)} 个特征有缺失，最多为 {worst}（{missing[worst]:.0%}）；冻结的训练中位数插补"
    return f"{len(missing)} features have missing values, most {worst} ({missing[worst]:.0%}); frozen training medians stand in"


def _building(report: Mapping[str, Any], *, zh: bool, public: bool) -> str:
    preset = report.get("preset", "strategy")
    if public or "branches" not in report:
        return f"预设 {preset}" if zh else f"preset {preset}"
    learners = ", ".join(f"{name}: {each['learner']} {each['parameters']}" for name, each in report["branches"].items())
    return f"预设 {preset}；{learners}" if zh else f"preset {preset}; {learners}"


JUDGED = (
    (("auc", "c_index"), "区分度", "discrimination"),
    (("auc_t",), "随时间变化的 AUC", "AUC over time"),
    (("brier",), "Brier 分数", "Brier score"),
    (("calibration",), "校准", "calibration"),
    (("net_benefit",), "决策曲线", "net benefit"),
)


def _judged(held_out: Mapping[str, Any], *, zh: bool) -> str:
    """What stands above of held-out patients, and nothing else."""
    found = [words[0 if zh else 1] for keys, *words in JUDGED if any(key in held_out for key in keys)]
    return f"{'、'.join(found)}：见上" if zh else f"{', '.join(found)} as above"


def _output(report: Mapping[str, Any], *, zh: bool) -> str:
    said = {
        "prime-r": ("客观缓解的概率", "a probability of objective response"),
        "prime-s": ("风险；高低分组以训练中位数为界", "a risk; low and high by the training median"),
        "strategy": (
            "每种策略的无复发概率及区间、按登记规则推荐的策略，或弃权及其理由",
            "recurrence-free probability of each strategy with its interval, and by a registered rule one strategy or an abstention",
        ),
    }
    return said[report["model"]][0 if zh else 1]


def _identity(report: Mapping[str, Any], *, zh: bool) -> str:
    return f"模型 {report['model_sha256']}" if zh else f"model {report['model_sha256']}"
