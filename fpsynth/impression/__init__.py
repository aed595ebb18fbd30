"""Impression: one capture of a finger."""

from fpsynth.impression.impression import CaptureSettings, Impression, capture

__all__ = ["CaptureSettings", "Impression", "capture"]
