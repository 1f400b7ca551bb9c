"""The words of a model card in Chinese and English. Pure."""

from typing import Literal

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")

_WORDS: dict[str, tuple[str, str]] = {
    "title": ("模型卡", "Model card"),
    "prime-r": ("PRIME-R：三个月客观缓解", "PRIME-R: objective response at three months"),
    "prime-s": ("PRIME-S：总生存", "PRIME-S: overall survival"),
    "strategy": ("四种辅助治疗策略模型", "Model of four adjuvant strategies"),
    "use": ("预期用途", "Intended use"),
    "use-prime-r": (
        "接受介入联合靶向及免疫治疗的不可切除肝细胞癌；治疗前预测。其他人群一律拒绝。绝不用于前瞻性辅助治疗预测的封存。",
        "Unresectable HCC on interventional, targeted and immune therapy, before treatment. Refused for anybody else, and never used to "
        "seal a prospective adjuvant prediction.",
    ),
    "use-prime-s": (
        "接受介入联合靶向及免疫治疗满一个月的不可切除肝细胞癌；生存自该一个月时点计算。其他人群一律拒绝。",
        "Unresectable HCC after one month on interventional, targeted and immune therapy; survival counts from there. Refused for "
        "anybody else.",
    ),
    "use-strategy": (
        "根治性切除（R0）的肝细胞癌，辅助治疗尚未知晓时；预测被封存，揭盲前不向任何设盲人员显示。",
        "Resected HCC (R0) before adjuvant therapy is known; predictions are sealed and shown to no blinded person before opening.",
    ),
    "performance": ("性能", "Performance"),
    "held_out": ("未见过的患者（交叉验证）", "Held-out patients (cross-validated)"),
    "external": ("外部队列，模型不变", "External rows, model unchanged"),
    "apparent": ("训练患者本身（仅供对照，不得单独报告）", "Training patients themselves (for contrast, never to be reported alone)"),
    "measure": ("指标", "Measure"),
    "estimate": ("估计值", "Estimate"),
    "interval": ("95% 置信区间", "95 % interval"),
    "calibration": ("校准", "Calibration"),
    "predicted": ("预测风险", "Predicted"),
    "observed": ("观察风险", "Observed"),
    "ideal": ("理想", "ideal"),
    "net_benefit": ("决策曲线", "Decision curve"),
    "threshold": ("阈值概率", "Threshold"),
    "benefit": ("净获益", "Net benefit"),
    "model": ("模型", "model"),
    "everybody": ("全部处理", "act on everybody"),
    "groups": ("风险分组", "Risk groups"),
    "low": ("低风险", "low risk"),
    "high": ("高风险", "high risk"),
    "days": ("天", "Days"),
    "survival": ("生存概率", "Survival"),
    "hazard_ratio": ("高对低风险的风险比", "Hazard ratio, high against low"),
    "centers": ("各中心", "By center"),
    "center": ("中心", "Center"),
    "subgroups": ("亚组", "Subgroups"),
    "patients": ("例数", "Patients"),
    "events": ("事件数", "Events"),
    "features": ("入选特征", "Features kept"),
    "shapley": ("特征贡献（五折平均 |Shapley|）", "Feature shares (mean |Shapley| over the folds)"),
    "policy": ("规则的价值", "Value of the rule"),
    "rule": ("规则", "rule"),
    "for_all": ("全部采用", "everybody"),
    "gain": ("相对最佳单一策略的增益", "gain over the best single strategy"),
    "consistent": ("一致比例（预演）", "Consistent share (rehearsal)"),
    "power": ("检验效能，HR 0.6 / 0.7 / 0.8", "Power at HR 0.6 / 0.7 / 0.8"),
    "support": ("低于支持阈值（p < 0.05）的比例", "Share below support (p < 0.05)"),
    "effective": ("有效样本量（重叠权重）", "Effective sample size (overlap weights)"),
    "departures": ("与论文不同之处", "Departures from the paper"),
    "optimism": ("公开代码的捷径会带来的乐观偏差", "Optimism of the published shortcuts"),
    "with": ("采用捷径", "with"),
    "without": ("不采用", "without"),
    "features chosen on all rows before the split": (
        "划分之前在全部患者中选择特征",
        "features chosen on all rows before the split",
    ),
    "fusion weights recomputed from the tested rows' outcomes": (
        "用被检验患者的结局重新计算融合权重",
        "fusion weights recomputed from the tested rows' outcomes",
    ),
    "Brier score that ignores censoring": ("忽略删失的 Brier 分数", "Brier score that ignores censoring"),
    "grid scored on the test rows": ("在测试患者上给参数网格评分", "grid scored on the test rows"),
    "fusion fitted on the test rows": ("在测试患者上拟合融合模型", "fusion fitted on the test rows"),
    "test C": ("测试集 C", "test C"),
    "test AUC": ("测试集 AUC", "test AUC"),
    "Brier at 24 months": ("24 个月 Brier", "Brier at 24 months"),
    "limits": ("局限与警告", "Limits and warnings"),
    "limits-public": (
        "规则、入选特征、贡献、局限与警告只写在完整模型卡上；完整卡与模型一起保存在推断主机。",
        "Rule, features, shares, limits and warnings stand on the full card alone, which is kept with the model on the inference host.",
    ),
    "provenance": ("来源", "Provenance"),
    "tripod": ("TRIPOD+AI 条目（由本次训练填写）", "TRIPOD+AI items filled from this run"),
    "item": ("条目", "Item"),
    "said": ("内容", "Content"),
    "people": ("由人撰写", "to be written by people"),
    "none": ("无", "none"),
    "public": ("公开版：不含规则、特征与贡献。", "Public version: without rule, features and shares."),
    "not_said": ("未报告", "not reported"),
}


def word(key: str, language: Language) -> str:
    """A word of the card; a key that has none stands for itself."""
    pair = _WORDS.get(key)
    return key if pair is None else pair[LANGUAGES.index(language)]
