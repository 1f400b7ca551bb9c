"""The closed vocabularies of the de-identification: the only words that may leave a hospital inside an image.

Free text is searched for words with a meaning for the study, in English and Chinese, and replaced by their codes; what is not
understood is dropped. `CODES` are enumerated values of PS3.3, `DEVICES` the names makers give their scanners.
"""

import re
import unicodedata

_LETTER = r"^(c\+ ?)?{0}(期| ?phase)?[ \d.]*(mm)?$|\+c? ?{0}\b"
"""A phase as one letter: the whole name but for numbers ("A 5.0mm"), or behind the sign for contrast ("C+A")."""
WORDS: tuple[tuple[str, str], ...] = (
    ("late_arterial", r"late[ _-]*art|\blap\b|动脉期?晚期|晚期?动脉"),
    ("arterial", r"\bart(?!ifact|efact)|arterial|(?<![a-z])[eh]?ap(?![a-z])|动脉|早期增强|" + _LETTER.format("a")),
    (
        "portal_venous",
        r"portal|\bport ?ven|(?<![a-z])pvp?(?![a-z])|venous|(?<![a-z])vp(?![a-z])|\bven\b|门静?脉|静脉|" + _LETTER.format("v"),
    ),
    (
        "delayed",
        r"delay|\bdel\b|equilib|\beq\b|(?<![a-z])d[lp](?![a-z])|late[ _-]*(phase|ven)|延迟|延时|平衡|" + _LETTER.format("d"),
    ),
    ("hepatobiliary", r"hepatobil|\bhbp?\b|\b(15|20) ?min|肝胆"),
    (
        "unenhanced",
        r"non[ _-]*(con|enh)|without|unenhanced|plain|native|\bpre(?![a-z])|\bpre[ _-]?con|\bnc\b|\bn(ec|cc)t\b|\bncp\b|w/o"
        r"|(?<![a-z0-9])c-(?![a-z0-9])|平扫|增强(扫描)?前",
    ),
    ("enhanced", r"\bc\+|\+c\b|contrast|enhanc|\bce\b|\bpost\b|\bgd\b|增强"),
    ("dynamic", r"dynamic|\bdyn|lava|vibe|thrive|动态"),
    ("t1", r"\bt1"),
    ("t2", r"\bt2"),
    ("dwi", r"\bdwi|diffus|弥散|扩散"),
    ("adc", r"\badc"),
    ("in_phase", r"in[ _-]*phase|(?<!out)\bip\b|同相"),
    ("opposed_phase", r"(out|opp\w*)[ _-]*(of[ _-]*)?phase|\bop\b|反相"),
    ("fat_suppressed", r"fat[ _-]*sat|\bfs\b|\bspair\b|压脂|脂肪抑制"),
    ("subtraction", r"\bsub|减影"),
    ("projection", r"\bmip|\bminip|最大密度"),
    ("reformatted", r"\bmpr|reformat|重建|重组"),
    ("bolus_timing", r"monitoring|smart ?prep|bolus ?(track|tim)|test ?bolus|sure ?start|监测|小剂量"),
    ("localizer", r"\bscout|locali[sz]er|topogram|surview|定位"),
    ("axial", r"\bax|\btra(?:ns)?\b|transv|横断|轴位"),
    ("coronal", r"\bcor|冠状"),
    ("sagittal", r"\bsag|矢状"),
    ("abdomen", r"abd|腹"),
    ("liver", r"liver|hepat(?!obil)|肝(?!胆)"),
    ("chest", r"chest|thorax|lung|胸|肺"),
    ("pelvis", r"pelvi|盆"),
    ("thin_slice", r"thin|薄层"),
)
AGENTS: tuple[tuple[str, str], ...] = (
    ("gadoxetate", r"gadoxet|primovist|eovist|\beob\b|普美显|钆塞酸"),
    ("gadolinium", r"gado|\bgd\b|magnevist|omniscan|dotarem|multihance|钆"),
    ("iodinated", r"iod|iohexol|iopa|iover|ultravist|omnipaque|isovue|visipaque|碘|优维显|欧乃派克|威视派克"),
    ("oral", r"oral|口服"),
    ("contrast", r"\byes\b|contrast|造影|增强|iv\b"),
)
MAKERS: tuple[tuple[str, str], ...] = (
    ("SIEMENS", r"siemens|西门子"),
    ("GE", r"\bge\b|general electric|通用电气"),
    ("PHILIPS", r"philips|飞利浦"),
    ("CANON", r"toshiba|canon|东芝|佳能"),
    ("UIH", r"\buih\b|united imaging|联影"),
    ("NEUSOFT", r"neusoft|东软"),
    ("HITACHI", r"hitachi|fujifilm|日立"),
    ("MINFOUND", r"minfound|明峰"),
    ("ANKE", r"\banke\b|安科"),
    ("PICKER", r"picker|elscint|marconi"),
)
REGIONS: tuple[tuple[str, str], ...] = (
    ("TUMOUR", r"tumou?r|lesion|hcc|\bgtv|neoplas|\bmass|nodul|cancer|carcino|肿瘤|病灶|结节|肿物|癌"),
    ("LIVER", r"liver|hepat|肝"),
    ("VESSEL", r"vein|vessel|arter|aorta|血管|静脉|动脉"),
    ("BODY", r"\bbody|external|skin|体表"),
)
ANY_REGION = "REGION"
_CODES_TEXT = """
    CT MR ORIGINAL DERIVED PRIMARY SECONDARY AXIAL LOCALIZER VOLUME NONE NORM DIS2D DIS3D M FFE SE IR GR EP RM T1 T2 ADC DIFFUSION TRACEW
    SUB MPR MIP AVERAGE REFORMATTED PROJECTION PROJECTION_IMAGE CT_SOM5 CT_SOM7 SPI SEQ HELIX HELIX_CT VMI WATER FAT IN_PHASE
    OPP_PHASE OUT_PHASE MIXED DYNAMIC FLOW_ENCODED IP OP W F IP_FSE MAGNITUDE PHASE REAL IMAGINARY P R I COMPLEX PHASE_MAP HFS HFP
    HFDR HFDL FFS FFP FFDR FFDL ABDOMEN LIVER CHEST PELVIS ABDOMENPELVIS CHESTABDOMEN CHESTABDPELVIS THORAX WHOLEBODY MONOCHROME1
    MONOCHROME2 HU US 2D 3D SK MTC SS TRSS SP MP OSP ISO_10918_1 ISO_14495_1 ISO_15444_1 00 01 NO HELICAL SPIRAL CINE FS FC PFP PFF
    SP1 RG CG PPG PER RB TR EDR FLEX_GEMS HELIOS_GEMS ACC_GEMS CONSTANT_ANGLE STATIONARY ANGULAR DISTORTED SAMPLED COLOR MONOCHROME
    MAX_IP MIN_IP ENERGY_PROP_WT POST_CONTRAST PRE_CONTRAST FIXED NONLINEAR LINEAR LINEAR_EXACT SIGMOID RECTILINEAR ISOCENTER WHITE
    BODY HEAD FLAT WEDGE LARGE SMALL MEDIUM IV ORAL RECTAL 3D_TEMPORAL TEMPORAL STACK PATIENT CENTER EDGE
    SEG RTSTRUCT BINARY FRACTIONAL LABELMAP PROBABILITY OCCUPANCY AUTOMATIC SEMIAUTOMATIC MANUAL CLOSED_PLANAR CLOSED_PLANAR_XOR
    CLOSEDPLANAR_XOR OPEN_PLANAR OPEN_NONPLANAR POINT GTV CTV PTV ORGAN EXTERNAL AVOIDANCE
"""
CODES = frozenset(_CODES_TEXT.split())
_DEVICE_WORDS_TEXT = """
    SOMATOM DEFINITION FLASH FORCE AS AS+ EDGE GO TOP UP NOW ALL DRIVE PERSPECTIVE SENSATION EMOTION SPIRIT SCOPE CONFIDENCE NAEOTOM
    ALPHA MAGNETOM SKYRA PRISMA PRISMA_FIT SKYRA_FIT AERA AMIRA AVANTO AVANTO_FIT VERIO TRIO TRIOTIM TIM VIDA SOLA LUMINA ALTEA ESPREE
    SYMPHONY SYMPHONYTIM ESSENZA HARMONY VISION PLUS VOLUME ZOOM LIGHTSPEED VCT ULTRA PRO REVOLUTION CT HD EVO APEX FRONTIER ACE
    MAXIMA DISCOVERY CT750 OPTIMA CT660 CT680 CT670 CT580 CT590 CT520 CT540 BRIGHTSPEED HISPEED SIGNA HDXT HDX HDE HDI EXCITE
    GENESIS_SIGNA MR MR355 MR360 MR450 MR450W MR750 MR750W PIONEER ARCHITECT PREMIER ARTIST VOYAGER CREATOR EXPLORER INGENUITY ICT SP
    BRILLIANCE BIG BORE IQON SPECTRAL INCISIVE ACCESS MX ACHIEVA DSTREAM INGENIA CX INTERA ELITION AMBITION PRODIVA MULTIVA AQUILION
    ONE PRIME LB RXL PRECISION GENESIS SERVE LIGHTNING VANTAGE TITAN ELAN GALAN ORIAN EXCEED UCT UMR ATLAS OMEGA JUPITER NX NEUVIZ
    GLORY EPOCH DUAL SCENARIA VIEW SUPRIA ECHELON OVAL SMART GEMINI BIOGRAPH MCT HORIZON SYNGO HELIOS STANDARD SOFT BONE BONEPLUS LUNG
    DETAIL CHEST QXI RT16 RT UB YA YB YC YD SYSTEM
"""
_ESCAPE = re.compile(rb"\x1b[$()\-][$()]?[0-9A-Z]")
"""A change of character set inside a text (ISO 2022, PS3.5 6.1.2.5); what stands between is told apart without it."""
_DEVICE_WORDS = frozenset(_DEVICE_WORDS_TEXT.split())
_DEVICE_TOKEN = re.compile(r"V?[A-Z]{0,2}[0-9]{1,3}[A-Z]{0,2}([./-][0-9]{1,3}[A-Z]{0,2}){0,3}|[A-Z]")


def plain(raw: bytes | str) -> list[str]:
    """Every way to read the bytes of a text (hospitals label GBK as Latin-1), folded: half-width, lower case."""
    if isinstance(raw, str):
        return [_folded(raw)]
    raw, texts = _ESCAPE.sub(b"", raw), []
    for encoding in ("utf-8", "gb18030"):
        try:
            texts.append(_folded(raw.decode(encoding)))
        except UnicodeDecodeError:
            continue
    return texts or [_folded(raw.decode("latin-1"))]


def codes_in(raw: bytes | str, words: tuple[tuple[str, str], ...]) -> list[str]:
    """The codes of `words` found in a text, in the table's order; nothing of the text itself."""
    texts = [text.replace("_", " ") for text in plain(raw)]
    return [code for code, pattern in words if any(re.search(pattern, text) for text in texts)]


def phase_words(raw: bytes | str) -> list[str]:
    """The codes of phase, sequence, plane and region that a series' name speaks of; the more special phase wins."""
    found = codes_in(raw, WORDS)
    return [code for code in found if not (code == "arterial" and "late_arterial" in found)]


def device_words(raw: bytes | str) -> str:
    """What is left of a model, kernel or software name: known product words and short version numbers."""
    text = raw if isinstance(raw, str) else raw.decode("ascii", errors="replace")
    tokens = re.split(r"[\s,\\\0]+", text)
    return " ".join(token for token in tokens if token.upper() in _DEVICE_WORDS or _DEVICE_TOKEN.fullmatch(token.upper()))[:64].strip()


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip("\0 ").lower()
