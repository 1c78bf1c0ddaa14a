"""Planning a migration, and carrying it out."""

from __future__ import annotations

from ringshift._data import PlanFigures
from ringshift._ringshift import Chunks, Coordinator, Plan, home_installs, plan

__all__ = ["Chunks", "Coordinator", "Plan", "PlanFigures", "home_installs", "plan"]
