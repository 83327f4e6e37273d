"""Observers: forward models and reducers that look at a simulation and never change it."""

from braingraph.observers.bold import BOLDSignal

__all__ = ["BOLDSignal"]
