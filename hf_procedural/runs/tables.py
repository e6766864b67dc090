"""Numbers and tables as people read them."""

import datetime
import math


def si(number: float) -> str:
    power = min(int(math.log10(max(number, 1)) // 3), 4)
    return f"{number / 1000**power:.4g}{('', 'k', 'M', 'B', 'T')[power]}"


def duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else str(datetime.timedelta(seconds=round(seconds)))


COUNT, NATS, SHARE, POWER = "{:,.0f}".format, "{:.4f}".format, "{:.1%}".format, "{:.3g}".format


def markdown_table(lines: list[dict[str, str]]) -> str:
    """A markdown table, without the columns that are empty in every line."""
    titles = [title for title in lines[0] if any(line[title] for line in lines)]
    cells = [titles, ["---"] * len(titles), *([line[title] or "-" for title in titles] for line in lines)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in cells)
