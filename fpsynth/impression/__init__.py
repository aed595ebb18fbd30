"""Impression: one capture of a finger."""

from fpsynth.impression.impression import CaptureSettings, Impression, capture, capture_all

__all__ = ["CaptureSettings", "Impression", "capture", "capture_all"]
