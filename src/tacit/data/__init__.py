"""Floor 2: tables and corpora on their way in: reading, column kinds, encoding, blocks of rows."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submodules=["texts"],
    submod_attrs={
        "dataset": ["Dataset", "DenseRows", "JoinedRows", "MadeRows", "RowSet", "SparseRows", "TakenRows"],
        "encode": ["decode", "encode", "ignored"],
        "errors": ["DataError"],
        "frames": ["feature_names", "from_frame"],
        "images": ["ImageSet", "read_images"],
        "kinds": ["LEAVE_OUT", "LeftOut", "infer"],
        "long": ["CountTable", "count_table", "parse_long"],
        "read": ["TableReading", "read"],
        "schema": ["KINDS", "LEVELLED", "Column", "Kind", "Schema"],
        "sequenced": ["SequencedRows"],
        "table": ["SummaryLine", "Table", "describe", "load"],
        "workbooks": ["sheet_of"],
        "write": ["write"],
    },
)
