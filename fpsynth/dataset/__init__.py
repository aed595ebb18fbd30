"""Dataset: typed rows, atomic shards, the manifest and the card. What a crash, a resume or a cluster cannot corrupt."""

from fpsynth.dataset.row import GateRecord, Renderer, Row, features
from fpsynth.dataset.spec import DatasetSpec, ShardPlace
from fpsynth.dataset.writer import DatasetWriter

__all__ = ["DatasetSpec", "DatasetWriter", "GateRecord", "Renderer", "Row", "ShardPlace", "features"]
