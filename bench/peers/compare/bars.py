"""Bar charts as plain SVG."""

import math

WIDTH, LABEL, BAR, GAP = 720, 130, 18, 6
STYLE = (
    "text{font:12px sans-serif;fill:#444}.title{font-weight:bold}.name{text-anchor:end}"
    ".note{text-anchor:end;fill:#888}.small{font-size:10px;fill:#888}"
    ".ours{fill:#3b7dd8}.others{fill:#999}"
)


def _shown(value, unit):
    text = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return text + unit


def _panel(top, panel):
    """The lines of one chart, and where it ends."""
    lines = [f'<text x="0" y="{top + 14}" class="title">{panel["title"]}</text>']
    values = [value for _, value, _ in panel["bars"]]
    most = max(values, default=1)
    least = min(values, default=1)
    logarithmic = panel.get("logarithmic", False)
    unit = panel.get("unit", "")
    y = top + 26
    for name, value, kind in panel["bars"]:
        if logarithmic and most > least:
            share = 0.06 + 0.94 * math.log(value / least) / math.log(most / least)
        else:
            share = value / most
        length = share * (WIDTH - LABEL - 110)
        lines.append(f'<text x="{LABEL - 8}" y="{y + 13}" class="name">{name}</text>')
        lines.append(f'<rect x="{LABEL}" y="{y}" width="{length:.1f}" height="{BAR}" class="{kind}"/>')
        lines.append(f'<text x="{LABEL + length + 6:.1f}" y="{y + 13}">{_shown(value, unit)}</text>')
        y += BAR + GAP
    if logarithmic:
        lines.append(f'<text x="{WIDTH}" y="{top + 14}" class="note">logarithmic</text>')
    return lines, y + 16


def draw(panels, where):
    """One SVG. A panel is a dict: title, bars as (name, value, "ours" or "others"), and, if it is
    so, unit and logarithmic."""
    body, y = [], 4
    for panel in panels:
        lines, y = _panel(y, panel)
        body += lines
    body.append(
        f'<text x="0" y="{y + 6}" class="small">{where["cpu"]}, {where["cores"]} cores, kernel '
        f'{where["kernel"]}, {where["when"][:10]}; medians</text>'
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-8 0 {WIDTH + 16} {y + 14}" '
            f'width="{WIDTH + 16}" height="{y + 14}">',
            f"<style>{STYLE}</style>",
            f'<rect x="-8" width="{WIDTH + 16}" height="{y + 14}" fill="#fff"/>',
            *body,
            "</svg>\n",
        ]
    )
