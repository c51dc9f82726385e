"""Volume formats, one module per family; each opens an address into ``Opened``."""
