"""The page that `make run` prints: where to go, as whom to sign in, how to stop."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prime_platform.embedded.machine import Plan

RULE = "─" * 88


def page(plan: "Plan") -> str:
    """The page as text, English and Chinese side by side."""
    lines = [
        RULE,
        "  PRIME Platform",
        "",
        f"  Open · 打开              {plan.public_url}/",
    ]
    if plan.demo:
        lines.append("  Sign in · 登录           the start page lists the demo's people · 首页列出演示用户")
        lines.append("                          SYNTHETIC data only, nobody's · 全部为合成数据，不对应任何人")
    lines += [
        f"  DICOM                   {plan.bind}:{plan.dicom_port}   AE title {plan.dicom_aet}",
        f"  Edge · 院内网关          http://{plan.bind}:{plan.edge_port}/",
        f"  Health · 状态            {plan.public_url}/readyz",
        f"  State · 数据目录         {plan.var}",
        "  Stop · 停止              Ctrl-C (or kill with TERM · 或发送 TERM 信号)",
        RULE,
    ]
    return "\n".join(lines)
