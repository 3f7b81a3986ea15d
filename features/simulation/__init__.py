"""The simulated cohort: patients drawn from published figures. No result of it is evidence about patients."""

from features.simulation.cohort import Simulated, simulate

__all__ = ["Simulated", "simulate"]
