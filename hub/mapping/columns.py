"""The columns of an incident that a mapping fills."""

__all__ = ["INSTANTS", "MAPPED_COLUMNS"]

MAPPED_COLUMNS = (
    "status", "source_status", "source_status_text", "flags", "title", "description",
    "category", "source_category", "source_category_text", "channel",
    "occurred_at", "reported_at", "source_updated_at", "closed_at", "due_at",
    "region", "town", "grid", "address", "longitude", "latitude", "source_x", "source_y", "coordinate_system",
    "unit", "unit_code", "officers", "subject_kind", "subject_name", "subject_code", "parties",
    "document_number", "measures", "basis", "fine", "confiscated", "result", "answer",
    "reference_numbers", "steps", "attachments",
)  # fmt: skip
"""In the order of the store's columns. Instants are epoch ms, money is fen, lists are JSON text."""

INSTANTS = frozenset({"occurred_at", "reported_at", "source_updated_at", "closed_at", "due_at"})
