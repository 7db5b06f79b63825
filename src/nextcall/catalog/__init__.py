"""Operations of an API: their one type, their file, and readers of the common descriptions."""

from nextcall.catalog.catalog import Catalog, CatalogError
from nextcall.catalog.operation import Operation, Parameter, describe_operation

__all__ = ["Catalog", "CatalogError", "Operation", "Parameter", "describe_operation"]
