"""The heading of a pasted table: which column is the test, its result, unit, reference range; which may say who somebody is. Pure."""

import re
from dataclasses import dataclass

from studies.laboratory import dates, identity
from studies.laboratory.text import Line

_HEADINGS = {
    "no": "序号 编号 NO 行号 #",
    "code": "代码 项目代码 英文 英文名 英文名称 缩写 简称 英文缩写 英文简称 项目编码 项目简称 code abbreviation 项目英文名称 项目英文名",
    "name": """项目 项目名称 检验项目 检查项目 名称 分析项目 中文名称 检测项目 测试项目 报告项目 检验项目名称 中文名 化验项目 指标 指标名称
        项目中文名称 item itemname test testname analyte investigation parameter tests""",
    "result": """结果 检验结果 测定结果 检测结果 测定值 结果值 本次结果 检测值 化验结果 项目结果 检查结果 当前结果 报告结果 result results
        value""",
    "flag": """提示 状态 标志 异常提示 高低 标识 异常 结果提示 升降 异常标志 高低标志 提示信息 flag flags h/l 结果状态 异常标识 ↑↓ 结果标志
        abnormal""",
    "unit": "单位 结果单位 unit units 计量单位",
    "range": """参考范围 参考值 参考区间 正常值 正常范围 参考值范围 生物参考区间 参考 正常参考值 正常参考范围 reference ref referencerange
        normalrange refrange range referenceinterval refinterval 参考区间/范围""",
    "low": "下限 参考下限 参考低值 低值",
    "high": "上限 参考上限 参考高值 高值",
    "previous": "上次结果 历史结果 前次结果 上次 上一次结果 既往结果 previous previousresult lastresult",
    "method": "方法 检验方法 检测方法 测定方法 实验方法 方法学 method",
    "specimen": "标本 标本类型 标本种类 样本类型 样本 样本种类 specimen sample sampletype specimentype",
    "other": """备注 仪器 设备 检验仪器 组合名称 检验组合 临床意义 收费 收费项目 医嘱 医嘱名称 报告名称 检验目的 套餐 remark remarks comment
        instrument 检验科室 专业组 互认 互认标识 危急值""",
}
_FIELDS = {heading: field for field, headings in _HEADINGS.items() for heading in headings.casefold().split()}
_NUMBERS = frozenset({"result", "previous", "low", "high"})


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what it holds, and the day where the heading is one."""

    field: str
    on: str = ""


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of a table; where two tests stand side by side there are two groups. `tabbed`: cells are parted by tabs."""

    groups: tuple[tuple[Column, ...], ...]
    tabbed: bool

    @property
    def order(self) -> tuple[str, ...]:
        """The order of result, unit and range."""
        return tuple(column.field for column in self.groups[0] if column.field in ("result", "unit", "range"))

    @property
    def numbers(self) -> tuple[str, ...]:
        """The columns that hold plain numbers, in their order."""
        return tuple(column.field for column in self.groups[0] if column.field in _NUMBERS)

    @property
    def identifies(self) -> bool:
        """Whether a column says who somebody is."""
        return any(column.field == "identity" for group in self.groups for column in group)

    @property
    def days(self) -> tuple[str, ...]:
        """The days that head columns of results."""
        return tuple(column.on for column in self.groups[0] if column.on)


def cells(line: Line) -> list[tuple[int, int]]:
    """The cells of a line parted by tabs, as places in its plain signs, without the blanks around them."""
    found, start = [], 0
    for part in line.plain.split("\t"):
        left = start + len(part) - len(part.lstrip())
        found.append((left, max(left, left + len(part.strip()))))
        start += len(part) + 1
    return found


def header(line: Line) -> Header | None:
    """The header that a line is, or None: at least a test and a result must be named, and nothing be measured."""
    tabbed = "\t" in line.plain.strip()
    texts = [line.plain[start:end] for start, end in cells(line)] if tabbed else _phrases(line.plain)
    columns = [_column(text) for text in texts]
    fields = {column.field for column in columns}
    if not fields & {"name", "code"} or "result" not in fields:
        return None
    if any(column.field == "unknown" and re.search(r"\d", text) for column, text in zip(columns, texts, strict=True)):
        return None
    return Header(_grouped(columns), tabbed)


def _column(text: str) -> Column:
    plain = re.sub(r"[\s.:_]+", "", text).casefold()
    if on := dates.read(text):
        return Column("result", on)
    without_brackets = re.sub(r"\(.*?\)|\[.*?\]", "", plain)
    field = _FIELDS.get(plain) or _FIELDS.get(without_brackets) or _FIELDS.get(plain.rstrip("0123456789"))
    if field:
        return Column(field)
    if re.search(r"时间|日期|time|date", plain):
        return Column("taken" if dates.says_taken(plain) else "time")
    return Column("identity" if identity.label(text) else "unknown" if plain else "other")


def _phrases(plain: str) -> list[str]:
    """The headings of a line without tabs: as many words as name one, otherwise word by word."""
    words, found = plain.split(), list[str]()
    while words:
        length = next(
            (n for n in (3, 2) if _is_english(words[:n], n) and _column(" ".join(words[:n])).field not in ("unknown", "identity")), 1
        )
        found.append(" ".join(words[:length]))
        words = words[length:]
    return found


def _is_english(words: list[str], count: int) -> bool:
    return len(words) == count and all(word.isascii() for word in words)


def _grouped(columns: list[Column]) -> tuple[tuple[Column, ...], ...]:
    """The columns in groups that begin anew where the test or its number comes again; several days of results stay together."""
    groups, current = list[list[Column]](), list[Column]()
    for column in columns:
        held = {each.field for each in current if not each.on}
        if column.field in held & {"no", "code", "name", "result"} and not column.on:
            groups.append(current)
            current = []
        current.append(column)
    return tuple(tuple(group) for group in [*groups, current])
