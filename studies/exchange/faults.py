"""Why a file, a line or a cell is not taken: a code with its facts and the sentence in both languages. Pure."""

from collections.abc import Mapping

from studies.protocol import Text

SENTENCES = {
    "empty": Text("文件是空的。", "The file is empty."),
    "too_large": Text("文件有 {size} MB，最多 {most} MB。请拆分后再传。", "The file has {size} MB; at most {most} MB are taken. Split it."),
    "old_excel": Text(
        "这是旧版 Excel（.xls）或加密文件。请另存为 .xlsx 或 CSV 再传。",
        "This is an old Excel file (.xls) or a protected one. Save it as .xlsx or CSV and send that.",
    ),
    "no_header": Text("第一行没有列名。", "The first line names no columns."),
    "too_many_columns": Text("表有 {columns} 列，最多 {most} 列。", "The table has {columns} columns; at most {most} are taken."),
    "unnamed_column": Text(
        "第 {column} 列没有列名。请在第一行给每列命名。", "Column {column} has no name. Name every column in the first line."
    ),
    "doubled_column": Text(
        "列名“{column}”出现两次。每列的名称不能重复。",
        "The column “{column}” stands in the header twice. Give each column a name of its own.",
    ),
    "unknown_encoding": Text(
        "文字编码既不是 UTF-8 也不是 GBK。请在 Excel 中另存为“CSV UTF-8”，或直接传 .xlsx。",
        "The text is neither UTF-8 nor GBK. In Excel choose “CSV UTF-8” when saving, or send the .xlsx itself.",
    ),
    "other_encoding": Text("文件不能按 {encoding} 读到结尾。", "The file does not read as {encoding} to its end."),
    "unclean_csv": Text(
        "文件不是规范的 CSV：请找未闭合的引号。", "The file is no clean CSV: look for a quotation mark that is opened and never closed."
    ),
    "no_text": Text("文件含有空字符，不是文本。", "The file holds NUL characters: it is no text."),
    "long_cell": Text("有一格有 {length} 个字符，最多 {most} 个。", "A cell holds {length} characters; at most {most} are taken."),
    "no_workbook": Text(
        "这个压缩包不是 Excel 工作簿。请传一个 .xlsx 或 .csv 文件。", "This archive is no Excel workbook. Send one .xlsx or .csv file."
    ),
    "macros": Text(
        "工作簿含有宏。请另存为不含宏的 .xlsx 再传。", "The workbook holds macros. Save it as .xlsx without macros and send that."
    ),
    "unpacks_too_large": Text("工作簿解压后过大。请另存为 CSV 再传。", "The workbook unpacks to more than is taken. Send it as CSV."),
    "entities": Text(
        "工作簿含有 Excel 不会写的实体声明，不予打开。", "The workbook declares entities of its own, which no Excel does. It is not opened."
    ),
    "damaged": Text(
        "工作簿已损坏。请在 Excel 中打开、重新保存后再传。", "The workbook is damaged. Open it in Excel, save it again and send that."
    ),
    "several_sheets": Text(
        "工作簿有 {count} 个工作表（{names}）。请只留一个，或指明哪一个。",
        "The workbook has {count} sheets ({names}). Keep one only, or say which one.",
    ),
    "no_sheet": Text("工作簿里没有工作表“{sheet}”。", "The workbook has no sheet “{sheet}”."),
    "formula": Text(
        "单元格 {cell} 是公式。请复制后“粘贴为数值”，使看到的就是读入的。",
        "Cell {cell} holds a formula. Copy the sheet and paste it as values, so that what you see is what is read.",
    ),
    "error_cell": Text(
        "单元格 {cell} 是错误值 {error}。请改为实际值或清空。",
        "Cell {cell} holds the error {error}. Put the value in its place or empty it.",
    ),
    "surplus_cells": Text(
        "这一行有 {cells} 格，表头只有 {header} 列：请检查文字里的分隔符。",
        "The line has {cells} cells, the header has {header}: look for a separator inside a text.",
    ),
    "missing_cells": Text(
        "这一行有 {cells} 格，表头有 {header} 列：行不完整。",
        "The line has {cells} cells, the header has {header}: part of the line is missing.",
    ),
    "odm_malformed": Text("第 {line} 行不是规范的 XML。", "Line {line} is no well-formed XML."),
    "odm_doctype": Text("文件带有文档类型声明，不予打开。", "The file declares a document type. It is not opened."),
    "odm_other": Text("这不是本平台能读的 ODM-XML 文件。", "This is no ODM-XML file that the platform reads."),
    "odm_version": Text("这是 ODM {version}，平台读 1.3.2。", "This is ODM {version}; the platform reads 1.3.2."),
    "odm_is_null": Text(
        "{item} 用了 IsNull；平台用缺失原因，不用 IsNull。",
        "{item} is marked IsNull; the platform writes the reason for a missing value instead.",
    ),
    "odm_undefined": Text("文件引用了没有定义的 {oid}。", "The file refers to {oid}, which it does not define."),
    "odm_shifted": Text(
        "这个文件的日期已移位，不能导入。请用真实日期的导出。",
        "The dates of this file were shifted: it is not imported. Take an export with true dates.",
    ),
    "odm_history": Text(
        "这个文件带有每次修改。请用只含现值的导出。",
        "This file carries every change. Take an export that holds the present values alone.",
    ),
    "redcap_columns": Text("这不是 REDCap 数据字典：缺少列 {columns}。", "This is no REDCap data dictionary: it lacks {columns}."),
    "mapping_unreadable": Text("映射文件 {path} 不是规范的 YAML。", "The mapping file {path} is no well-formed YAML."),
    "mapping_malformed": Text("映射文件 {path} 有误：{faults}", "The mapping file {path} is wrong: {faults}"),
    "mapping_column": Text(
        "文件没有映射所要的列 {columns}。请核对列名。", "The file lacks columns that the mapping reads: {columns}. Compare the names."
    ),
    "mapping_target": Text(
        "映射写到了数据字典和方案没有的 {targets}。", "The mapping names what dictionary and protocol do not ask: {targets}."
    ),
    "mapping_file": Text("找不到映射所要的文件 {path}。", "The mapping joins a file that is not there: {path}."),
    "joined_twice": Text(
        "文件 {file} 里有一个键出现两次（第 {line} 行），无法合并。",
        "In {file} a key stands twice (line {line}), so that it cannot be joined.",
    ),
    "no_key": Text("表里没有研究编号列（{names}）。", "The table has no column of study numbers ({names})."),
    "no_items": Text(
        "没有一列的名称是数据字典里的项目。请用项目代码或名称作列名。",
        "No column names an item of the data dictionary. Use item codes or labels as names of columns.",
    ),
    "item_twice": Text("有两列都是 {item}。请只留一列。", "Two columns name {item}. Keep one."),
    "too_long": Text(
        "最多 {rows} 行、{cells} 格。请拆分后再传。", "At most {rows} rows and {cells} cells are taken at once. Split the table."
    ),
    "redcap_line": Text("第 {line} 行与表头不符。", "Line {line} does not fit the header."),
}


class Refused(ValueError):
    """A whole file is not taken; `code` is one of SENTENCES, `values` fill its gaps."""

    def __init__(self, code: str, **values: object) -> None:
        super().__init__(say(code, "en", values))
        self.code = code
        self.values = values

    def say(self, language: str | None) -> str:
        """The sentence in a language code such as "zh-hans" or "en"."""
        return say(self.code, language, self.values)


def say(code: str, language: str | None, values: Mapping[str, object]) -> str:
    """The sentence of a code with its gaps filled. Raises KeyError for a code that is not there."""
    return SENTENCES[code].say(language).format(**values)
