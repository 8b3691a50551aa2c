"""Functions over estimators: which model, how good, how sure, which rows are odd.

Their public names are those of ``tacit`` itself; several modules here bear the name of their function.
"""
