"""Draws what scripts/pictures has measured: a picture for each row of the dashboard, and one of `tickfan top`."""

import fcntl, io, json, os, pty, re, select, signal, struct, sys, termios, time

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import pyte
from matplotlib.ticker import EngFormatter, FuncFormatter, MaxNLocator, PercentFormatter
from PIL import Image

ROWS, COLUMNS = 44, 104
UNITS = {"s": "s", "ops": "/s", "reqps": "/s", "Bps": "B/s", "bytes": "B", "short": ""}
INK, PAPER, GRID = "#d8d9da", "#181b1f", "#2c3235"


def save(figure, path):
    """A few colours are enough, and a tenth of the bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=100, facecolor=PAPER)
    plt.close(figure)
    Image.open(buffer).convert("RGB").quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)
    print(path, os.path.getsize(path))


def shown(unit):
    if unit == "percentunit":
        return PercentFormatter(1.0)
    large = EngFormatter(UNITS[unit], sep="" if unit == "short" else " ")
    if unit in ("s", "Bps", "bytes"):
        return large
    # Half a core is 0.5 of one, not 500 thousandths.
    return FuncFormatter(lambda value, _: large(value) if abs(value) >= 1000 else f"{value:.3g}{UNITS[unit]}")


def stat(axes, panel):
    """One number, as it was in the middle of the run."""
    values = panel["series"][0]["values"] if panel["series"] else []
    value = values[len(values) * 3 // 4][1] if values else float("nan")
    if panel["unit"] == "dateTimeFromNow":
        text = time.strftime("%H:%M UTC", time.gmtime(value / 1000))
    else:
        text = f"{value:.1%}" if panel["unit"] == "percentunit" else f"{value:,.0f}"
    axes.text(0.5, 0.4, text, transform=axes.transAxes, ha="center", va="center", fontsize=15, color="#73bf69")
    axes.set_xticks([])
    axes.set_yticks([])


def heatmap(axes, panel):
    """How many samples fell between each bound and the one below it."""
    series = sorted(panel["series"], key=lambda one: float(one["legend"].replace("+Inf", "inf")))
    times = [at for at, _ in series[-1]["values"]]
    below, cells = {}, []
    for one in series:
        values = dict(map(tuple, one["values"]))
        cells.append([values.get(at, 0) - below.get(at, 0) or float("nan") for at in times])
        below = values
    axes.pcolormesh(times, range(len(series)), cells, cmap="viridis", norm="log", shading="nearest")
    labels = [EngFormatter("s")(float(one["legend"])) if one["legend"] != "+Inf" else "more" for one in series]
    axes.set_yticks(range(0, len(series), 3), labels[::3])


def lines(axes, panel):
    # The largest first: they are what the legend has room for.
    most = lambda one: max((abs(value) for _, value in one["values"]), default=0)
    series = sorted(panel["series"], key=most, reverse=True)
    series = [one for one in series if most(one) > 0] or series[:1]
    for index, one in enumerate(series):
        if one["values"]:
            axes.plot(*zip(*one["values"]), lw=1, label=one["legend"] if index < 6 else None)
    lowest = min((value for one in series for _, value in one["values"]), default=0)
    highest = max((value for one in series for _, value in one["values"]), default=0)
    # Room for the legend above.
    axes.set_ylim(min(0, lowest), highest * (1.1 + 0.15 * min(3, (len(series) + 1) // 2)) or 1)
    axes.yaxis.set_major_formatter(shown(panel["unit"]))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    if any(one["legend"] for one in series):
        axes.legend(fontsize=6, frameon=False, labelcolor=INK, loc="upper left", ncols=2, handlelength=1)


def panels(source, folder):
    with open(source) as file:
        rows = json.load(file)
    plt.rcParams.update({"text.color": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK, "axes.facecolor": PAPER, "axes.edgecolor": GRID, "font.size": 7})
    for row in rows:
        top = min(panel["gridPos"]["y"] for panel in row["panels"])
        height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in row["panels"]) - top
        wide, high = 11, height * 0.3 + 0.3 # inches
        figure = plt.figure(figsize=(wide, high))
        figure.suptitle(row["title"], fontsize=10, x=0.01, ha="left", color=INK)
        for panel in row["panels"]:
            at = panel["gridPos"]
            # Its place in the grid, less what its title and its axes' numbers take.
            left, bottom = at["x"] / 24 * wide + 0.48, high - 0.3 - (at["y"] - top + at["h"]) * 0.3 + 0.24
            width, tall = at["w"] / 24 * wide - 0.58, at["h"] * 0.3 - 0.5
            axes = figure.add_axes((left / wide, bottom / high, width / wide, tall / high))
            axes.set_title(panel["title"], fontsize=8, loc="left", color=INK)
            {"stat": stat, "heatmap": heatmap}.get(panel["type"], lines)(axes, panel)
            if panel["type"] != "stat":
                axes.grid(color=GRID, lw=0.5)
                axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at:.0f} s"))
        name = re.sub(r"\W+", "-", row["title"].lower()).strip("-")
        save(figure, os.path.join(folder, f"{name}.png"))


def top(program, admin, path):
    """Runs it in a terminal of its own, and draws what stands there after some seconds."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    child, terminal = pty.fork()
    if child == 0:
        os.environ["TERM"] = "xterm-256color"
        os.execv(program, [program, "top", "--admin", admin])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    end = time.monotonic() + 6
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            stream.feed(os.read(terminal, 65536))
    os.kill(child, signal.SIGTERM)
    os.waitpid(child, 0)
    # A character of this font is 0.602 of its size wide.
    size, leading = 9, 1.22
    plt.rcParams["text.hinting"] = "no_hinting"
    figure = plt.figure(figsize=(COLUMNS * size * 0.602 / 72 + 0.2, ROWS * size * leading / 72 + 0.2))
    for row in range(ROWS):
        cells = [screen.buffer[row][column] for column in range(COLUMNS)]
        for bold in (False, True):
            text = "".join(cell.data if cell.bold == bold else " " for cell in cells).rstrip()
            if text:
                y = 1 - (row * size * leading + size + 6) / (figure.get_figheight() * 72)
                figure.text(7 / (figure.get_figwidth() * 72), y, text, family="DejaVu Sans Mono", fontsize=size, weight="bold" if bold else "normal", color=INK, parse_math=False)
    save(figure, path)


{"panels": panels, "top": top}[sys.argv[1]](*sys.argv[2:])
