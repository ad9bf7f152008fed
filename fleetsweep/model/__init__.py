"""The data model: frozen values that one phase hands to the next."""
