"""The look of the page: no font and no script from the network, and what may load at all, as its policy says."""

from ..show.html import STYLE as ROWS

# The page, its pictures and its server, and nothing else: whatever a text from elsewhere would have it load.
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; font-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; connect-src 'self'; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'none'"
)
FONTS = {
    "font": ["system-ui", "-apple-system", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif"],
    "font_mono": ["ui-monospace", "DejaVu Sans Mono", "Consolas", "monospace"],
}
STYLE = f"""
{ROWS}
.gradio-container {{ width: 100% !important; max-width: min(1200px, 100%) !important; margin: 0 auto; }}
.gradio-container, .gradio-container * {{ min-width: 0; }}
.error {{ border-left: 4px solid #b3261e; padding: 0.5em 0.8em; background: #fdecea; color: #5f1410;
  overflow-wrap: anywhere; }}
.dark .error {{ background: #3b1512; color: #ffd9d4; border-color: #ff8a80; }}
.verdict {{ font-weight: 600; border-left: 4px solid; padding: 0.3em 0.8em; margin: 0.3em 0; }}
.verdict.right {{ color: #14692f; }}
.verdict.wrong {{ color: #b3261e; }}
.verdict.so-far {{ color: #6b5200; }}
.dark .verdict.right {{ color: #6fdc8c; }}
.dark .verdict.wrong {{ color: #ff8a80; }}
.dark .verdict.so-far {{ color: #f1c21b; }}
.note {{ opacity: 0.8; }}
.gradio-container {{ --block-info-text-color: #4b5563; --block-label-text-color: #374151;
  --block-title-text-color: #374151; }}
.dark .gradio-container, .gradio-container.dark {{ --block-info-text-color: #c3c8d0;
  --block-label-text-color: #d1d5db; --block-title-text-color: #e5e7eb; }}
.procedural-row .good {{ color: #14692f; }}
.procedural-row mark {{ background: #b3261e; color: #fff; padding: 0 0.2em; }}
.dark .procedural-row .good {{ color: #6fdc8c; }}
.verdict + .procedural-row {{ white-space: pre-wrap; overflow-wrap: anywhere; }}
.pieces {{ display: flex; flex-wrap: wrap; gap: 4px; font-family: ui-monospace, 'DejaVu Sans Mono', monospace; }}
.piece {{ border: 1px solid #8886; border-radius: 4px; padding: 0 4px; white-space: pre-wrap;
  overflow-wrap: anywhere; }}
.piece.scored {{ background: #d7f2df; color: #0b3d1b; border-color: #14692f; }}
.dark .piece.scored {{ background: #123d20; color: #c9f5d6; }}
.piece sub {{ opacity: 0.7; margin-left: 4px; font-size: 0.7em; }}
.picture {{ max-width: 100%; height: auto; background: #fff; }}
.moving {{ image-rendering: pixelated; max-width: 100%; border: 1px solid #8886; }}
.card {{ overflow-wrap: anywhere; line-height: 1.5; }}
.card h1 {{ font-size: 1.4em; }}
.card h2 {{ font-size: 1.2em; margin-top: 1.2em; }}
.card p, .card ul, .card pre {{ margin: 0.6em 0; }}
.card ul {{ padding-left: 1.4em; list-style: disc; }}
.card a {{ display: inline; margin: 0; padding: 0; text-decoration: underline; }}
.card pre, .card .scroll {{ overflow-x: auto; max-width: 100%; }}
.card pre {{ background: #8881; padding: 0.6em; border-radius: 6px; font-size: 0.85em; }}
.card table {{ border-collapse: collapse; font-size: 0.85em; }}
.card td, .card th {{ border: 1px solid #8886; padding: 0.25em 0.5em; white-space: nowrap; text-align: left; }}
.card td {{ font-variant-numeric: tabular-nums; }}
.card img {{ max-width: 100%; height: auto; background: #fff; }}
:focus-visible {{ outline: 2px solid #1d4fd8 !important; outline-offset: 1px; }}
"""
# The width of a drawn line, in characters, of the column that a browser of this width gives to rows.
WIDTH = """() => {
  const column = document.querySelector('#rows');
  const room = column ? column.clientWidth : window.innerWidth - 40;
  return Math.max(30, Math.min(120, Math.floor((room - 24) / 7.9) - 1));
}"""
