from .archive import PersistenceError as PersistenceError
from .archive import load as load
from .archive import save as save
from .onnx_export import export_onnx as export_onnx
