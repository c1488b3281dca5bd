"""Medians, spreads and tables."""

import statistics


def median(values):
    return statistics.median(values) if values else None


def of_pairs(ours, theirs):
    """The median of ours[round] / theirs[round] over the rounds that both have, or None.

    A pair was taken within one round, seconds apart, so that what disturbs the machine for
    longer than that is in both.
    """
    return median([ours[key] / theirs[key] for key in ours if theirs.get(key)])


def shown(value, form="{:,.0f}"):
    return "-" if value is None else form.format(value)


def spread(least, most):
    return "-" if least is None else f"{shown(least)}..{shown(most)}"


def table(header, rows):
    """Columns as wide as they need to be; the first to the left, numbers to the right."""
    cells = [header, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = []
    for row in cells:
        first, *rest = (cell.rjust(width) for cell, width in zip(row, widths))
        lines.append("  ".join([row[0].ljust(len(first)), *rest]).rstrip())
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)
