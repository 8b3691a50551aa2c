"""Files of directed networks of discrete nodes: BIF, XMLBIF, XDSL, Hugin's .net, UAI."""

from tacit.data.network_files.files import read_network_tables, write_network_tables
from tacit.data.network_files.tables import NetworkTables

__all__ = ["NetworkTables", "read_network_tables", "write_network_tables"]
