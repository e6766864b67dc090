"""The papers' settings by name: ``load_dataset("procedural", "nca-code")``."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Preset:
    """A task or mixture with parameters, where the setting comes from, and what it was used for."""

    task: str
    parameters: dict
    source: str
    note: str = ""


PRESETS: dict[str, Preset] = {}
