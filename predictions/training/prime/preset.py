"""Presets: every parameter of a training in one YAML file, checked by a schema; the file's hash stands in each report. Pure."""

import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import yaml

FOLDER = Path(__file__).parent / "presets"
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


class PresetRefused(ValueError):
    """The file is no preset; the text says where."""


@dataclass(frozen=True)
class Candidate:
    """A learner and the grid of its parameters; the first of each is its default."""

    kind: str
    grid: Mapping[str, list[Any]]

    def default(self) -> dict[str, Any]:
        return {name: values[0] for name, values in self.grid.items()}

    def settings(self) -> list[dict[str, Any]]:
        """Every combination of the grid, the default first."""
        return [dict(zip(self.grid, values, strict=True)) for values in itertools.product(*self.grid.values())]


@dataclass(frozen=True)
class Settings:
    """How one endpoint is modelled."""

    least_variance: float
    selection: Mapping[str, Any]
    candidates: tuple[Candidate, ...]
    fusion: Mapping[str, Any]


@dataclass(frozen=True)
class Preset:
    """All of it. `departures` name, in zh and en, where the preset leaves the published text."""

    name: str
    sha256: str
    folds: int
    repeats: int
    inner_folds: int
    shapley_orders: int
    most_missing: float
    response: Settings
    survival: Settings
    departures: tuple[Mapping[str, str], ...]


def load(name_or_path: str) -> Preset:
    """A preset by its name, or from a file. Raises PresetRefused."""
    path = FOLDER / f"{name_or_path}.yaml" if name_or_path in NAMES else Path(name_or_path)
    try:
        data = path.read_bytes()
        value = yaml.safe_load(data)
        jsonschema.validate(value, json.loads((FOLDER / "schema.json").read_text(encoding="utf-8")))
    except OSError:
        raise PresetRefused(f"{name_or_path} is neither a preset ({', '.join(NAMES)}) nor a file") from None
    except yaml.YAMLError as fault:
        raise PresetRefused(f"{path.name} is no YAML: {fault}") from None
    except jsonschema.ValidationError as fault:
        raise PresetRefused(f"{path.name}: {'.'.join(map(str, fault.absolute_path)) or 'the file'}: {fault.message}") from None
    return Preset(
        value["name"],
        hashlib.sha256(data).hexdigest(),
        value["validation"]["folds"],
        value["validation"]["repeats"],
        value["validation"]["inner_folds"],
        value["validation"].get("shapley_orders", 0),
        value["preparation"]["most_missing"],
        _settings(value["response"]),
        _settings(value["survival"]),
        tuple(value["departures"]),
    )


def _settings(value: Mapping[str, Any]) -> Settings:
    candidates = tuple(Candidate(each["kind"], {name: grid for name, grid in each.items() if name != "kind"}) for each in value["learners"])
    return Settings(value["least_variance"], value["selection"], candidates, value["fusion"])
