"""What may say who a patient is: found before anything is stored, so that the platform never holds it (docs/formats.md k). Pure.

The rule is an allow-list at the end (`studies.lab_paste` keeps only what it read as laboratory results, columns and dates);
this module names the lines that must go although a result may stand in them.
"""

import re

_LABELS = re.compile(
    r"姓名|患者|病人|受检者|受试者|住院号|门诊号|就诊号|病案号|病历号|登记号|诊疗卡|就诊卡|卡号|病员号|ID号|身份证|证件|护照|医保|社保|电话|手机|联系|住址|地址|籍贯|民族|职业|"
    r"出生|生日|性别|年龄|床号|床位|病区|病房|科室|科别|送检医生|送检医师|申请医生|申请医师|开单|主治|检验者|检验人|检验医师|检验师|审核|报告者|报告人|报告医师|核对者|操作者|采集人|采样人|接收人|"
    r"条码|样本号|标本号|样品号|检验号|流水号|检查号|申请单|医嘱号|单号|影像号|家属|监护人|单位名称|工作单位|"
    r"\b(?:patient|name|sex|gender|age|dob|birth|mrn|hospital\s*no|admission|inpatient|outpatient|phone|tel|mobile|address|barcode|"
    r"specimen\s*(?:id|no)|sample\s*(?:id|no)|accession|doctor|physician|reported\s*by|reviewed\s*by|verified\s*by|id\s*(?:no|number|card)|passport)\b",
    re.I,
)
_LONG_NUMBER = re.compile(r"(?<![\d.,])\d{6,14}(?![\d.,]*\d)")
_AGE_SEX = re.compile(
    r"\d{1,3}\s*(?:岁|周岁)|(?<![\u4e00-\u9fff])[男女](?![\u4e00-\u9fff:：])|\b\d{1,3}\s*(?:yrs?|years?\s*old|y/o)\b", re.I
)
_RANGE_BY_SEX = re.compile(r"[男女]\s*(?:性)?\s*[:(]?\s*[<>≤≥]?\s*\d|\d\s*\(\s*[男女]性?\s*\)")
_SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭"
    "廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文庞樊兰殷施陶洪翟安颜倪严牛温芦季俞章鲁葛伍韦申尤毕聂丛焦向柳邢"
    "路岳齐梅莫庄辛管祝左涂谷祁时舒耿牟卜詹关苗凌费纪靳盛童欧甄项曲成游阳裴席卫查屈鲍位覃霍翁隋植甘景薄单包司柏宁柯阮桂闵解强柴华车冉房边"
    "净阚"
)
_DOUBLE = "欧阳|司马|上官|诸葛|东方|皇甫|尉迟|公孙|慕容|令狐|夏侯|长孙|宇文|端木|南宫|司徒|百里|呼延"
_NAME = re.compile(rf"(?:(?:{_DOUBLE})[\u4e00-\u9fff]{{1,2}}|[{_SURNAMES}][\u4e00-\u9fff]{{1,2}})")
_NO_NAMES = frozenset(
    [
        "方法",
        "成人",
        "范围",
        "单位",
        "时间",
        "常规",
        "高于",
        "黄色",
        "高值",
        "单项",
        "方式",
        "计算",
        "安全",
        "向下",
        "向上",
        "石蜡",
        "高敏",
        "金标",
        "计数",
        "常温",
    ]
)


def label(text: str) -> bool:
    """Whether a heading or label announces who somebody is."""
    return bool(_LABELS.search(text))


def suspects(rest: str) -> bool:
    """Whether what is left of a line, once every word that was understood is blanked, looks like an identity."""
    without_ranges = _RANGE_BY_SEX.sub(" ", rest)
    if label(rest) or _AGE_SEX.search(without_ranges):
        return True
    words = [word for word in re.split(r"[\s:,()\[\]]+", rest) if word and word not in _NO_NAMES]
    return any(_NAME.fullmatch(word) or _LONG_NUMBER.fullmatch(word) for word in words)
