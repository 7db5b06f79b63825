"""Text to unit vectors: ONNX for the service, sentence-transformers as the reference."""

from nextcall.embedding.embedder import Embedder
from nextcall.embedding.onnx import OnnxEmbedder
from nextcall.embedding.store import encode_cached, vectors_key

__all__ = ["Embedder", "OnnxEmbedder", "encode_cached", "vectors_key"]
