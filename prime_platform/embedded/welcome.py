"""The page that `make run` prints: where to go, as whom to sign in, how to stop."""

from typing import TYPE_CHECKING

from imaging.edge import keys
from prime_platform.demo import people

if TYPE_CHECKING:
    from prime_platform.embedded.machine import Plan

RULE = "─" * 96


def page(plan: "Plan") -> str:
    """The page as text, English and Chinese side by side."""
    return "\n".join([RULE, "  PRIME Platform", "", *_rows(plan), RULE])


def _passcode(plan: "Plan") -> str:
    """The passcode of the demonstration's edge; a real one is known to its hospital alone."""
    path = plan.var / "edge" / plan.demo_center / "keys" / "page.passcode"
    return f"   passcode · 口令 {keys.read_key(path).decode()}" if plan.demo and path.exists() else ""


def _rows(plan: "Plan") -> list[str]:
    rows = [f"  Open · 打开          {plan.public_url}/"]
    password = plan.var / "secrets" / "demo_password"
    if plan.demo and password.exists():
        center = [f"{name}{plan.demo_center}" for name, _ in people.CENTER_PEOPLE.values()]
        study = [name for name, _ in (*people.STUDY_PEOPLE.values(), *people.ADJUDICATORS)]
        rows += [
            f"  Sign in · 登录       {' '.join(center)} · {' '.join(study)}",
            f"  Opened study · 已揭盲 {people.INVESTIGATOR_OF_THE_PAST}",
            f"  Password · 密码      {password.read_text().strip()}   (all of them · 全部相同)",
            "  Data · 数据          SYNTHETIC: nobody's · 全部为合成数据，不对应任何人",
        ]
    return [
        *rows,
        f"  DICOM               {plan.bind}:{plan.dicom_port}   AE title {plan.dicom_aet}",
        f"  Edge · 院内网关      http://{plan.bind}:{plan.edge_port}/{_passcode(plan)}",
        f"  Health · 状态        {plan.public_url}/readyz",
        f"  State · 数据目录     {plan.var}",
        "  Stop · 停止          Ctrl-C, or TERM to this process · 按 Ctrl-C，或向本进程发送 TERM 信号",
    ]
