"""The upstream systems, one file a wire family, and what each shows of a record (`*_rows.py`)."""
