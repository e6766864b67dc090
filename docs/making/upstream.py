"""What we lean on in other libraries beyond their public names, from hf_procedural/upstream.py."""

from hf_procedural import upstream

from ._words import code, plain

_HEAD = """# Upstream

What hf_procedural leans on in other libraries beyond their public names. Each stands once in
`hf_procedural/upstream.py`, with the versions that it was written against, what would end the need, and what happens
where a name is gone. Nothing is looked up before it is used: a version that has lost a name harms only what needs it,
and says so in one line. What surprises in these libraries is told in [footguns](footguns.md).

"""


def pages() -> dict:
    """The page."""
    by_package = {}
    for name, entry in upstream.PRIVATE.items():
        by_package.setdefault(entry.works, {}).setdefault(entry, []).append(name)
    text = _HEAD
    for works, entries in by_package.items():
        text += f"\n## {plain(works.partition('>')[0])} {{#{works.partition('>')[0]}}}\n\nVersions: {code(works)}\n"
        for entry, names in entries.items():
            shown = ", ".join(code(name.replace(":", ".")) for name in names)
            text += (
                f"\n- **{plain(entry.why)}**: {shown}. Until {plain(entry.until)}. Without: {plain(entry.without)}.\n"
            )
    return {"upstream.md": text}
